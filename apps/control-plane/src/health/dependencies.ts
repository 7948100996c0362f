import { subjectsOf } from '@pawl/contracts';
import type { Distribution } from '@pawl/distribution';
import type { TruthStore } from '@pawl/engine';
import type { Clock } from '@pawl/kernel';
import type { Settings } from '@pawl/platform';
import { natsRoundTrip, WITHOUT_JETSTREAM_MS, type Link } from './nats-round-trip.js';
import { NewestAnswer } from './newest-answer.js';
import { ASKED_PER_TTL } from './watch-dependency.js';

/** What a node needs to know of PostgreSQL and NATS: the watch asks, and `/readyz` reads its answers. */
export interface Dependencies {
  readonly postgres: NewestAnswer;
  readonly nats: NewestAnswer;
  /** What is wrong with the streams; `null` also while that may pass by itself. */
  streamsProblem(): string | null;
  /** Whether this node has all of its connections to NATS. */
  connected(): boolean;
}

export function dependencies(parts: {
  readonly truth: Pick<TruthStore, 'healthy'>;
  readonly distribution: Pick<Distribution, 'problem' | 'connection'>;
  /** What commands and heartbeats arrive over. */
  readonly traffic: Link;
  readonly settings: Pick<Settings, 'installation' | 'leaseTtlMs'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}): Dependencies {
  const { truth, distribution, traffic, settings, clock } = parts;
  const links = [distribution, traffic];
  // Twice as old as the watch lets them become.
  const common = { maxAgeMs: (2 * settings.leaseTtlMs) / ASKED_PER_TTL, clock };
  const { snapshotStream } = subjectsOf(settings.installation);
  const roundTrip = natsRoundTrip(links, snapshotStream, clock);
  /** When nothing was wrong with the streams last. */
  let fineMs = -Infinity;
  const streamsProblem = (): string | null => {
    const { problem } = distribution;
    if (problem === null) fineMs = clock.monotonicMs();
    return clock.monotonicMs() - fineMs > WITHOUT_JETSTREAM_MS ? problem : null;
  };
  return {
    postgres: new NewestAnswer({ ...common, question: () => truth.healthy() }),
    nats: new NewestAnswer({
      ...common,
      question: () => {
        // Since when they are not fine is to be known whenever `/readyz` is asked.
        streamsProblem();
        return roundTrip();
      },
    }),
    streamsProblem,
    connected: () => links.every(({ connection }) => connection !== undefined),
  };
}
