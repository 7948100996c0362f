export { ConfigurationError, EMPTY_STATE, RaftCore } from './raft-core.js';
export type { CoreStatus, DurableState, RaftConfig } from './raft-core.js';
export type {
  Entry,
  EntryKind,
  HardState,
  LogIndex,
  Message,
  NodeId,
  ProposeOutcome,
  Ready,
  Role,
  SnapshotMark,
  Term,
} from './types.js';
