import type { Distribution } from '@pawl/distribution';
import type { EngineStatus, ShardOwnership } from '@pawl/engine';
import type { ReadinessCheck } from '@pawl/platform';
import type { Dependencies } from './dependencies.js';

/** DESIGN §8: PostgreSQL, NATS and metadata answer, and this node's shards are claimed and served. */
export function readinessChecks(parts: {
  readonly dependencies: Dependencies;
  readonly distribution: Pick<Distribution, 'shortOfCopies'>;
  readonly metadata: { problem(): Promise<string | null> };
  readonly ownership: Pick<ShardOwnership, 'nodeId' | 'map'>;
  readonly engineStatus: () => EngineStatus;
  /** Whether this node is about to stop. */
  readonly leaving: () => boolean;
}): readonly ReadinessCheck[] {
  const { dependencies } = parts;
  const says = async (answered: Promise<boolean>): Promise<string | null> =>
    (await answered) ? null : 'does not answer';
  const nats = async (): Promise<string | null> => {
    const problem = dependencies.streamsProblem();
    if (problem !== null) return problem;
    return dependencies.connected() ? says(dependencies.nats.read()) : 'not connected';
  };
  return [
    { name: 'postgres', check: () => says(dependencies.postgres.read()) },
    { name: 'nats', check: nats },
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
