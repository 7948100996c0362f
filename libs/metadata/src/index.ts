export { MetadataUnavailableError, WatchCompactedError } from './metadata-store.port.js';
export type { CoordinationNode, NodeStatus, QuorumMember } from './coordination.port.js';
export type {
  LeaseResult,
  MetadataStore,
  MetadataWatch,
  RangeRequest,
  RangeResult,
  Refused,
  StoreStatus,
  TxnResult,
  WatchRequest,
} from './metadata-store.port.js';
export { openMetadata } from './quorum/open-metadata.js';
export type { MetadataOptions } from './quorum/open-metadata.js';
export { openQuorum } from './quorum/open-quorum.js';
export type { QuorumOptions } from './quorum/open-quorum.js';
export type { QuorumNode } from './quorum/quorum-node.js';
export type { Compaction, QuorumSettings } from './quorum/quorum-settings.js';
export { bytesToText, textToBytes } from './text.js';
export { NodeIdInUseError } from './ownership/node-session.js';
export { ForeignInstallationError, recordInstallation } from './ownership/record-installation.js';
export { raiseEpoch } from './ownership/raise-epoch.js';
export { createShardOwnership } from './ownership/shard-ownership.js';
export type { ShardOwnershipOptions } from './ownership/shard-ownership.js';
export { EtcdMetadataStore, openEtcdMetadata } from './etcd/etcd-metadata.store.js';
export type { EtcdMetadataOptions } from './etcd/etcd-metadata.store.js';
export type { EtcdTls } from './etcd/etcd-endpoint.js';
export { openMember } from './member/open-member.js';
export type { Member, MemberOptions, MemberSettings } from './member/open-member.js';
export { explainListen, MemberStartError } from './member/member-start-error.js';
export { quorumProblem } from './member/quorum-problem.js';
export { takeFolder } from './member/take-folder.js';
export type { OwnFolder } from './member/take-folder.js';
export { takePort } from './member/taken-port.js';
export type { TakenPort } from './member/taken-port.js';
