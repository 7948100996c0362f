import type { Address, AddressText } from '@pawl/contracts';
import type { Timer, TimerHandle } from '@pawl/kernel';

/** How often a rollout of another node's shard is looked at again, milliseconds. */
const LOOK_EVERY_MS = 300;
/** Of many rollouts one is looked at per so many milliseconds. */
const PER_LOOK_MS = 5;

interface Followed {
  readonly listeners: Set<() => void>;
  next: TimerHandle | undefined;
}

/**
 * Lets those who follow rollouts of other nodes' shards look again now and then: one look per address
 * however many follow it, and no more looks in all, however many addresses there are, than one per 5 ms.
 */
export class FollowedRollouts {
  readonly #followed = new Map<AddressText, Followed>();

  constructor(
    private readonly options: {
      readonly serves: (root: string) => boolean;
      readonly timer: Timer;
    },
  ) {}

  follow(address: Address, look: () => void): { readonly stop: () => void } {
    // One function may follow twice.
    const listener = (): void => look();
    const followed = this.#followed.get(address.text) ?? { listeners: new Set(), next: undefined };
    this.#followed.set(address.text, followed);
    followed.listeners.add(listener);
    if (followed.next === undefined) this.#lookLater(address, followed);
    return {
      stop: () => {
        followed.listeners.delete(listener);
        if (followed.listeners.size > 0) return;
        followed.next?.cancel();
        if (this.#followed.get(address.text) === followed) this.#followed.delete(address.text);
      },
    };
  }

  #lookLater(address: Address, followed: Followed): void {
    const { serves, timer } = this.options;
    const delayMs = Math.max(LOOK_EVERY_MS, this.#followed.size * PER_LOOK_MS);
    followed.next = timer.after(delayMs, () => {
      // The owner's own node is told of changes.
      if (!serves(address.root)) for (const look of [...followed.listeners]) look();
      if (followed.listeners.size > 0) this.#lookLater(address, followed);
    });
  }
}
