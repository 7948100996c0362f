export { configurationText } from './configuration-text.js';
export { readRaft } from './read-raft.js';
export type { RaftInspection, RaftView } from './read-raft.js';
export { readSnapshots } from './read-snapshots.js';
export type { SnapshotView } from './read-snapshots.js';
export { judgeWal, readWal } from './read-wal.js';
export type { WalRecordView, WalSegmentView } from './read-wal.js';
export { NothingStoredError } from './stored-folder.js';
