import type { Timer, TimerHandle } from '@pawl/kernel';

/** How often a dependency is asked, and how long an answer may take, in one lease TTL. */
export const ASKED_PER_TTL = 10;
const ANSWERS_PER_TTL = 5;

/**
 * Tells, some times per lease TTL, whether a dependency answers this node: `null`, or what keeps it from
 * it. One question at a time: an answer that takes too long is none, until it comes.
 */
export function watchDependency(parts: {
  /** As operators know it. */
  readonly name: string;
  /** Must not reject. */
  readonly answers: () => Promise<boolean>;
  readonly tell: (problem: string | null) => void;
  readonly leaseTtlMs: number;
  readonly timer: Timer;
}): { stop(): void } {
  const { name, answers, tell, leaseTtlMs, timer } = parts;
  const silence = `${name} does not answer`;
  let stopped = false;
  let next: TimerHandle | undefined;
  const ask = async (): Promise<void> => {
    const late = timer.after(leaseTtlMs / ANSWERS_PER_TTL, () => {
      if (!stopped) tell(silence);
    });
    const answered = await answers();
    late.cancel();
    if (stopped) return;
    tell(answered ? null : silence);
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
