import type { AddressText } from '@pawl/contracts';

/** Who wants to know when the rollout of an address reads differently. */
export class RolloutWatchers {
  readonly #watchers = new Map<AddressText, Set<() => void>>();

  add(address: AddressText, changed: () => void): { readonly stop: () => void } {
    const there = this.#watchers.get(address) ?? new Set();
    this.#watchers.set(address, there.add(changed));
    return {
      stop: () => {
        there.delete(changed);
        if (there.size === 0 && this.#watchers.get(address) === there) {
          this.#watchers.delete(address);
        }
      },
    };
  }

  changed(address: AddressText): void {
    for (const watcher of this.#watchers.get(address) ?? []) watcher();
  }

  /** Tells everybody: time alone can change what is live. */
  tick(): void {
    for (const watchers of this.#watchers.values()) for (const watcher of watchers) watcher();
  }
}
