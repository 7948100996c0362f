import { wantedOwner } from './rendezvous.js';

/** A member as the planner sees it. */
export interface PlannedMember {
  readonly nodeId: string;
  /** How long this node has known it, milliseconds. */
  readonly seenForMs: number;
}

/**
 * Who should own each shard: the wanted owner among the members that have been there for `settleMs`,
 * or among all while none has. A member that is gone is out at once, so its shards move at once; a new
 * one takes its share only when it has settled. `null` without members.
 */
export function planShards(
  shards: number,
  members: readonly PlannedMember[],
  settleMs: number,
): readonly (string | null)[] {
  const settled = members.filter(({ seenForMs }) => seenForMs >= settleMs);
  const nodes = (settled.length > 0 ? settled : members).map(({ nodeId }) => nodeId);
  return Array.from({ length: shards }, (_, shard) => wantedOwner(shard, nodes));
}
