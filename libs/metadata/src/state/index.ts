export { compareBytes, contains, prefixRange, toByteKey, toInterval } from './byte-key.js';
export type { ByteKey, Interval } from './byte-key.js';
export { checkCommand, isReadOnly } from './check-command.js';
export { Decoder, Encoder, pick } from './codec.js';
export { COMMAND_FORMAT, decodeCommand, encodeCommand } from './command-codec.js';
export { EarlierFormatError } from './earlier-format.js';
export type { HashKv } from './hash-kv.js';
export type { EventQuery } from './key-store.js';
export { DEFAULT_STATE_LIMITS } from './limits.js';
export type { SessionLimits, StateLimits } from './limits.js';
export { CommandFormatError, MetadataState } from './metadata-state.js';
export type { CommandPlace, EventPage, PageBounds } from './metadata-state.js';
export type { PinnedSteps } from './pinned-steps.js';
export { SnapshotReader } from './snapshot-reader.js';
export { decodeMember, encodeMember } from './member-table.js';
export { NO_LEASE, REFUSALS } from './types.js';
export type {
  Alarm,
  AlarmKind,
  Command,
  CommandBody,
  CommandResult,
  Compare,
  CompareOperator,
  DeleteOperation,
  KeyEvent,
  KeyRange,
  KeyValue,
  Lease,
  LeaseCheckpoint,
  LeaseId,
  LeaseState,
  MemberPut,
  MemberRecord,
  MemberWish,
  Operation,
  OperationResult,
  Origin,
  PutOperation,
  RangeContent,
  RangeOperation,
  RangeRequest,
  Refusal,
  Revision,
  RevisionEvents,
  SessionCall,
  SortOrder,
  SortTarget,
  Txn,
} from './types.js';
