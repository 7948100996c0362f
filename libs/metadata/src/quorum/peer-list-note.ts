import { members as membersOf } from '@pawl/raft/core';
import type { RaftNode } from '@pawl/raft/node';

/** The list of peers that a start was given. */
export interface GivenPeers {
  /** All whom it names, with this node unless it joins. */
  readonly ids: readonly string[];
  /** It names only some members, of a quorum to join. */
  readonly join: boolean;
  /** Id of the cluster that it would found; null: one of no list. */
  readonly clusterId: string | null;
}

/**
 * How the list of peers that a start was given differs from what the node's folder held before it:
 * that counts, and the list does not. Null: it does not differ, or there is nothing to compare.
 */
export function peerListNote(
  node: Pick<RaftNode, 'found' | 'identity' | 'status'>,
  path: string,
  given: GivenPeers,
): string | null {
  if (node.found === null) return null;
  const { configuration, lastIndex } = node.status();
  const members = membersOf(configuration);
  const founders = node.found.founders ?? [];
  if (members.length === 0) return null;
  const wasLed = lastIndex > 0;
  const isSame = given.join
    ? given.ids.every((id) => members.includes(id) || founders.includes(id))
    : isList(members, given.ids) || isList(founders, given.ids);
  const remedy = `if that was a mistake and no quorum of that list has ever run, stop this node, remove ${path}, and start it again`;
  if (isSame) {
    if (wasLed || given.clusterId === null || given.clusterId === node.identity.clusterId)
      return null;
    return `PAWL_PEERS gives other addresses than the list with which ${path} was begun, whose cluster counts: ${remedy}`;
  }
  const names = `PAWL_PEERS names ${given.ids.join(', ')}, but ${path}`;
  return wasLed
    ? `${names} belongs to a quorum of ${members.join(', ')}, which counts: change that with \`pawl cluster add\` and \`pawl cluster remove\`, and PAWL_PEERS to agree with it`
    : `${names} was begun as one of ${members.join(', ')}, which counts: ${remedy}`;
}

function isList(ids: readonly string[], others: readonly string[]): boolean {
  return [...ids].sort().join() === [...others].sort().join();
}
