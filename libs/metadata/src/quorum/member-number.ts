import { createHash } from 'node:crypto';

/** What etcd's clients call a cluster or, with a node id, a member: 63 bits, never 0. */
export function numberOf(clusterId: string, nodeId = ''): bigint {
  const hash = createHash('sha256').update(clusterId).update(nodeId).digest();
  const number = BigInt.asUintN(63, hash.readBigUInt64BE());
  return number === 0n ? 1n : number;
}

/** A node id for a member of which only the address is known. */
export function idOfAddress(peerAddress: string): string {
  return `member-${createHash('sha256').update(peerAddress).digest('hex').slice(0, 12)}`;
}
