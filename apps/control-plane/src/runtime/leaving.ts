import type { ShardOwnership } from '@pawl/engine';
import type { Timer } from '@pawl/kernel';

/** How long REST goes on, from the beginning of a stop, where other nodes take over. */
export const LEAVING_MS = 2_000;

/**
 * A planned stop as those see it who send requests here: `/readyz` says 503 from its beginning, and REST
 * goes on for a while, so that load balancers have found another node when it ends. A node that is
 * alone leaves nobody behind, and does not wait.
 */
export class Leaving {
  #endMs: number | undefined;

  constructor(
    private readonly options: {
      readonly ownership: Pick<ShardOwnership, 'nodeId' | 'map'>;
      readonly monotonicMs: () => number;
      readonly timer: Timer;
    },
  ) {}

  get begun(): boolean {
    return this.#endMs !== undefined;
  }

  begin(): void {
    this.#endMs ??= this.options.monotonicMs() + LEAVING_MS;
  }

  /** Resolves when REST may end. */
  async over(): Promise<void> {
    const { ownership, monotonicMs, timer } = this.options;
    const { nodeId } = ownership;
    const leftMs = (this.#endMs ?? 0) - monotonicMs();
    const others = ownership.map().some(({ owner }) => owner !== null && owner !== nodeId);
    if (others && leftMs > 0) await new Promise<void>((resolve) => timer.after(leftMs, resolve));
  }
}
