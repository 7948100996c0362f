import type { ShardOwnership } from '@pawl/engine';
import type { Timer } from '@pawl/kernel';
import type { Dependencies } from './dependencies.js';
import { watchDependency } from './watch-dependency.js';

/** Tells the ownership whether PostgreSQL and NATS answer this node. */
export function watchDependencies(parts: {
  readonly dependencies: Pick<Dependencies, 'postgres' | 'nats'>;
  readonly ownership: Pick<ShardOwnership, 'setTruth' | 'setDistribution'>;
  readonly leaseTtlMs: number;
  readonly timer: Timer;
}): { stop(): void } {
  const { dependencies, ownership, leaseTtlMs, timer } = parts;
  const watching = [
    watchDependency({
      name: 'PostgreSQL',
      answers: () => dependencies.postgres.ask(),
      tell: (problem) => ownership.setTruth(problem),
      leaseTtlMs,
      timer,
    }),
    watchDependency({
      name: 'NATS',
      answers: () => dependencies.nats.ask(),
      tell: (problem) => ownership.setDistribution(problem),
      leaseTtlMs,
      timer,
    }),
  ];
  return { stop: () => void watching.forEach((watch) => watch.stop()) };
}
