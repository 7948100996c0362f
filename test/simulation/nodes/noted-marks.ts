import type { SimulatedQuorum } from '../../../libs/metadata/src/testing/simulated-quorum.js';

/** What the quorum remembers of a shard, as the record under `pawl.marks/<shard>` says it. */
export interface NotedMark {
  readonly generation: number;
  readonly token: bigint;
  readonly commits: bigint;
}

/** A fencing token is the metadata epoch × 2^48 + the revision that created the claim (DESIGN.md §5). */
const REVISIONS = 2n ** 48n;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/**
 * What whoever is the next to raise the fence of a shard is told by the quorum, whose members have
 * applied nothing that is not committed; null: nothing. Where a claim is made and the fence not raised
 * under it yet, that is what the claim has read.
 *
 * @param raised the highest token that the fence was raised to
 */
export function notedMark(
  quorum: SimulatedQuorum,
  shard: number,
  raised: bigint,
): NotedMark | null {
  const states = [...quorum.processes.values()].map(({ host }) => host.state);
  const [state] = states.sort((one, other) => other.revision - one.revision);
  const newest = (key: string, revision = 0) => {
    const found = state?.range({ key: bytes(key), revision });
    return found !== undefined && 'kvs' in found ? found.kvs[0] : undefined;
  };
  const claimed = newest(`pawl/claims/${shard}`)?.createRevision ?? 0;
  const isUnderWay = BigInt(claimed) > raised % REVISIONS;
  const mark = newest(`pawl.marks/${shard}`, isUnderWay ? claimed : 0);
  if (mark === undefined) return null;
  const record = JSON.parse(new TextDecoder().decode(mark.value)) as Record<
    string,
    string | number
  >;
  return {
    generation: Number(record['generation']),
    token: BigInt(record['token'] ?? 0),
    commits: BigInt(record['commits'] ?? 0),
  };
}
