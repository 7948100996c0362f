import type { Audit, AuditedRaise } from '../world/audit.js';
import { groupBy } from './group-by.js';
import type { Broken } from './promise.js';

/**
 * Whoever raised a shard's fence sees every write under a lower token, ever: what it does not see was
 * committed later, under a token that was old by then. And no row is written without a token.
 */
export function checkTokens({ writes, raises }: Audit): Broken[] {
  const byShard = groupBy(raises, ({ shard }) => shard);
  const snapshots = new Map(raises.map((raise) => [raise, parseSnapshot(raise)]));
  return writes.flatMap(({ shard, token, transaction, what }): Broken[] => {
    // Accepting a restore holds the locks of all shards exclusively.
    if (token === null && what.startsWith('history_entry restore ')) return [];
    if (token === null) return [old(`${what} was written without a token`)];
    const later = byShard.get(shard)?.find((raise) => {
      const snapshot = snapshots.get(raise);
      return raise.token > token && snapshot !== undefined && !sees(snapshot, transaction);
    });
    if (later === undefined) return [];
    return [old(`${what} of shard ${shard} came under token ${token} after ${later.token}`)];
  });
}

function old(text: string): Broken {
  return { promise: 'no write under an old token', text };
}

/** PostgreSQL's pg_snapshot: https://www.postgresql.org/docs/current/functions-info.html */
interface Snapshot {
  readonly xmin: bigint;
  readonly xmax: bigint;
  readonly running: ReadonlySet<bigint>;
}

function parseSnapshot({ snapshot }: AuditedRaise): Snapshot {
  const [xmin = '', xmax = '', running = ''] = snapshot.split(':');
  return {
    xmin: BigInt(xmin),
    xmax: BigInt(xmax),
    running: new Set(running.split(',').filter(Boolean).map(BigInt)),
  };
}

function sees({ xmin, xmax, running }: Snapshot, transaction: bigint): boolean {
  if (transaction < xmin) return true;
  return transaction < xmax && !running.has(transaction);
}
