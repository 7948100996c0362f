import type { ShardOwnership, TruthStore } from '@pawl/engine';
import type { Timer, TimerHandle } from '@pawl/kernel';
import { natsRoundTrip, type Link } from './nats-round-trip.js';

/** How often a dependency is asked, and how long an answer may take, in one lease TTL. */
const ASKED_PER_TTL = 10;
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

/** Tells the ownership whether PostgreSQL and NATS answer this node. */
export function watchDependencies(parts: {
  readonly truth: Pick<TruthStore, 'healthy'>;
  /** All of this node's connections to NATS. */
  readonly links: readonly Link[];
  /** The stream that JetStream is asked for. */
  readonly stream: string;
  readonly ownership: Pick<ShardOwnership, 'setTruth' | 'setDistribution'>;
  readonly leaseTtlMs: number;
  readonly timer: Timer;
}): { stop(): void } {
  const { truth, links, stream, ownership, leaseTtlMs, timer } = parts;
  const watching = [
    watchDependency({
      name: 'PostgreSQL',
      answers: () => truth.healthy(),
      tell: (problem) => ownership.setTruth(problem),
      leaseTtlMs,
      timer,
    }),
    watchDependency({
      name: 'NATS',
      answers: natsRoundTrip(links, stream),
      tell: (problem) => ownership.setDistribution(problem),
      leaseTtlMs,
      timer,
    }),
  ];
  return { stop: () => void watching.forEach((watch) => watch.stop()) };
}
