import { inject } from 'vitest';
import { Cluster, type ClusterOptions } from './cluster/cluster.js';
import { etcdQuorum } from './cluster/etcd-quorum.js';
import { pawlQuorum } from './cluster/pawl-quorum.js';
import type { QuorumKind } from './cluster/quorum-process.js';

/**
 * `pawl quorum`; with PAWL_TEST_QUORUM=etcd real etcd, which shows that a test asks for nothing
 * that etcd does not give.
 */
export function quorumUnderTest(): QuorumKind {
  return process.env['PAWL_TEST_QUORUM'] === 'etcd'
    ? etcdQuorum(inject('etcd').server)
    : pawlQuorum();
}

/** What etcd 3.4 is known to break is asked of `pawl quorum` alone. */
export const isPawl = process.env['PAWL_TEST_QUORUM'] !== 'etcd';

export function startCluster(
  options: Omit<ClusterOptions, 'kind'> = { nodes: 3 },
): Promise<Cluster> {
  return Cluster.start({ kind: quorumUnderTest(), ...options });
}
