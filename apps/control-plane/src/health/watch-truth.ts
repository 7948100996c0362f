import type { ShardOwnership, TruthStore } from '@pawl/engine';
import type { Timer, TimerHandle } from '@pawl/kernel';

/** How often PostgreSQL is asked, and how long an answer may take, in one lease TTL. */
const ASKED_PER_TTL = 10;
const ANSWERS_PER_TTL = 5;
const SILENCE = 'PostgreSQL does not answer';

/**
 * Tells the ownership, some times per lease TTL, whether PostgreSQL answers this node. One question at
 * a time: an answer that takes too long is none, until it comes.
 */
export function watchTruth(parts: {
  readonly truth: Pick<TruthStore, 'healthy'>;
  readonly ownership: Pick<ShardOwnership, 'setTruth'>;
  readonly leaseTtlMs: number;
  readonly timer: Timer;
}): { stop(): void } {
  const { truth, ownership, leaseTtlMs, timer } = parts;
  let stopped = false;
  let next: TimerHandle | undefined;
  const ask = async (): Promise<void> => {
    const late = timer.after(leaseTtlMs / ANSWERS_PER_TTL, () => {
      if (!stopped) ownership.setTruth(SILENCE);
    });
    const healthy = await truth.healthy();
    late.cancel();
    if (stopped) return;
    ownership.setTruth(healthy ? null : SILENCE);
    next = timer.after(leaseTtlMs / ASKED_PER_TTL, () => void ask());
  };
  void ask();
  return {
    stop: () => {
      stopped = true;
      next?.cancel();
    },
  };
}
