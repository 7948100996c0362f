import type { ShardOwnership, TruthStore } from '@pawl/engine';
import type { Clock, Timer } from '@pawl/kernel';
import { natsRoundTrip, type Link } from './nats-round-trip.js';
import { watchDependency } from './watch-dependency.js';

/** Tells the ownership whether PostgreSQL and NATS answer this node. */
export function watchDependencies(parts: {
  readonly truth: Pick<TruthStore, 'healthy'>;
  /** All of this node's connections to NATS. */
  readonly links: readonly Link[];
  /** The stream that JetStream is asked for. */
  readonly stream: string;
  readonly ownership: Pick<ShardOwnership, 'setTruth' | 'setDistribution'>;
  readonly leaseTtlMs: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly timer: Timer;
}): { stop(): void } {
  const { truth, links, stream, ownership, leaseTtlMs, clock, timer } = parts;
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
      answers: natsRoundTrip(links, stream, clock),
      tell: (problem) => ownership.setDistribution(problem),
      leaseTtlMs,
      timer,
    }),
  ];
  return { stop: () => void watching.forEach((watch) => watch.stop()) };
}
