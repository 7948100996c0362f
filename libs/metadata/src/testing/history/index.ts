export { checkKvHistory } from './check-history.js';
export type { KvHistory, KvReport } from './check-history.js';
export { checkLeases } from './check-leases.js';
export type { LeaseBounds, LeaseLife, LeaseRenewal } from './check-leases.js';
export { checkWatches } from './check-watches.js';
export type { WatchedEvent, WatchHistory, WatchMessage, WatchRecord } from './check-watches.js';
export { contains, execute, FIRST_REVISION, HistoryModel } from './history-model.js';
export type {
  HistoryAnswer,
  HistoryCall,
  HistoryCompare,
  HistoryEvent,
  HistoryKv,
  HistoryOperation,
  HistoryOutcome,
  HistoryRange,
  HistoryRequest,
  HistoryRevision,
  HistoryTxn,
  Violation,
} from './history.js';
