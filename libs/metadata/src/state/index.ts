export { compareBytes, contains, prefixRange, toByteKey, toInterval } from './byte-key.js';
export type { ByteKey, Interval } from './byte-key.js';
export { checkCommand } from './check-command.js';
export { decodeCommand, encodeCommand } from './command-codec.js';
export { DEFAULT_STATE_LIMITS } from './limits.js';
export type { StateLimits } from './limits.js';
export { MetadataState } from './metadata-state.js';
export type { CommandPlace } from './metadata-state.js';
export { NO_LEASE } from './types.js';
export type {
  Command,
  CommandResult,
  Compare,
  CompareOperator,
  DeleteOperation,
  KeyEvent,
  KeyRange,
  KeyValue,
  Lease,
  LeaseId,
  Operation,
  OperationResult,
  PutOperation,
  RangeContent,
  RangeOperation,
  Refusal,
  Revision,
  RevisionEvents,
  Txn,
} from './types.js';
