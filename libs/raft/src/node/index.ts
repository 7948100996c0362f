export { FolderInUseError, lockFolder } from './folder-lock.js';
export type { FolderLock } from './folder-lock.js';
export { openFsFolder } from './fs-folder.js';
export { readLogReach } from './newest-segment.js';
export {
  BarrierDeadlineError,
  CorruptionError,
  NodeFailedError,
  NodeStoppedError,
  WrongFolderError,
} from './node-errors.js';
export type { LogTransport, StartTransport } from './log-transport.port.js';
export { RaftNode } from './raft-node.js';
export type {
  LogEvents,
  LogMachine,
  LogOutcome,
  LogRefusal,
  LogStatus,
  RaftNodeOptions,
} from './raft-node-options.js';
export { DEFAULT_RAFT_SETTINGS } from './raft-settings.js';
export type { RaftSettings } from './raft-settings.js';
export { readStorage } from './raft-storage.js';
export type { NewPlace } from './raft-storage.js';
export { SnapshotFiles } from './snapshot-files.js';
export { writeFully } from './storage-folder.port.js';
export type { StorageFile, StorageFolder } from './storage-folder.port.js';
export { decodeRecords } from './wal-record.js';
export type { Identity, WalRecord } from './wal-record.js';
export { readLog } from './wal-recovery.js';
export { readSegment, segmentName, segmentSequence } from './wal-segment.js';
export type { SegmentContent } from './wal-segment.js';
export {
  askAsStranger,
  askClusterId,
  NoClusterError,
  overTcp,
  RequestError,
} from './transport/index.js';
export type {
  AskOptions,
  ListenAddress,
  PeerAddress,
  PeerTls,
  RequestOutcome,
  TcpOptions,
  TransportLimits,
} from './transport/index.js';
