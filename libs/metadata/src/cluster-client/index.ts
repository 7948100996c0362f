export { ClusterCallError, ClusterClient, MEMBER_ID_HEADER } from './cluster-client.js';
export type {
  ClusterClientOptions,
  ClusterMember,
  ClusterMembers,
  ClusterTls,
  MemberState,
} from './cluster-client.js';
