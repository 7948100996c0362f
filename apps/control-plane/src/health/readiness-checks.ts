import type { Distribution } from '@pawl/distribution';
import type { EngineStatus, ShardOwnership, TruthStore } from '@pawl/engine';
import type { Clock } from '@pawl/kernel';
import type { ReadinessCheck } from '@pawl/platform';
import { natsRoundTrip, WITHOUT_JETSTREAM_MS, type Link } from './nats-round-trip.js';

/** DESIGN §8: PostgreSQL, NATS and metadata answer, and this node's shards are claimed and served. */
export function readinessChecks(parts: {
  readonly truth: Pick<TruthStore, 'healthy'>;
  readonly distribution: Pick<Distribution, 'problem' | 'connection' | 'shortOfCopies'>;
  /** The stream that JetStream is asked for. */
  readonly stream: string;
  /** What commands and heartbeats arrive over. */
  readonly traffic: Link;
  readonly metadata: { problem(): Promise<string | null> };
  readonly ownership: Pick<ShardOwnership, 'nodeId' | 'map'>;
  readonly engineStatus: () => EngineStatus;
  /** Whether this node is about to stop. */
  readonly leaving: () => boolean;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}): readonly ReadinessCheck[] {
  const says = (fine: boolean): string | null => (fine ? null : 'does not answer');
  return [
    { name: 'postgres', check: async () => says(await parts.truth.healthy()) },
    { name: 'nats', check: natsCheck(parts) },
    { name: 'metadata', check: () => parts.metadata.problem() },
    {
      name: 'shards',
      check: async () =>
        parts.leaving() ? LEAVING : judgeShards(parts.ownership, parts.engineStatus()),
    },
    // Only shown: all works until that server dies.
    { name: 'streams', check: async () => parts.distribution.shortOfCopies, shownOnly: true },
    { name: 'restore', check: async () => judgeRestore(parts.engineStatus()), shownOnly: true },
  ];
}

function natsCheck(parts: {
  readonly distribution: Pick<Distribution, 'problem' | 'connection'>;
  readonly stream: string;
  readonly traffic: Link;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}): () => Promise<string | null> {
  const { distribution, stream, traffic, clock } = parts;
  const links = [distribution, traffic];
  const answers = natsRoundTrip(links, stream, clock);
  /** When nothing was wrong with the streams last. */
  let fineMs = -Infinity;
  return async () => {
    const nowMs = clock.monotonicMs();
    if (distribution.problem === null) fineMs = nowMs;
    else if (nowMs - fineMs > WITHOUT_JETSTREAM_MS) return distribution.problem;
    if (links.some(({ connection }) => connection === undefined)) return 'not connected';
    return (await answers()) ? null : 'does not answer';
  };
}

const LEAVING = 'go to other nodes: this one is about to stop';

/**
 * Shards without an owner count against this node only while it is the only owner there is: another
 * node's shards that are on the move must not take the whole cluster out of service.
 */
function judgeShards(
  ownership: Pick<ShardOwnership, 'nodeId' | 'map'>,
  { servedShards }: EngineStatus,
): string | null {
  const map = ownership.map();
  const mine = map.filter(({ owner }) => owner === ownership.nodeId).length;
  const unclaimed = map.filter(({ owner }) => owner === null).length;
  if (map.length === 0) return 'not known yet';
  if (unclaimed > 0 && mine + unclaimed === map.length) {
    return `${unclaimed} of ${map.length} are not claimed`;
  }
  return servedShards < mine ? `${mine - servedShards} of ${mine} are not served yet` : null;
}

/**
 * Only shown: reads, heartbeats and status are served, and a node that was not ready for it could not
 * be started on a restored database to accept the restore.
 */
function judgeRestore({ readOnlyShards, servedShards }: EngineStatus): string | null {
  if (readOnlyShards === 0) return null;
  return `${readOnlyShards} of ${servedShards} shards ${readOnlyShards === 1 ? 'is' : 'are'} read-only: PostgreSQL lacks what was seen elsewhere; see pawl restore status`;
}
