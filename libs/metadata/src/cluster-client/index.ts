export { ClusterCallError, ClusterClient } from './cluster-client.js';
export type {
  ClusterClientOptions,
  ClusterMember,
  ClusterMembers,
  ClusterTls,
  MemberState,
} from './cluster-client.js';
