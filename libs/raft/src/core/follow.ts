import type { RaftLog } from './raft-log.js';
import type { AppendRequest, AppendResponse, SnapshotMark } from './types.js';

/** Takes what a leader of this term sent, and answers what it is to hear once that is durable. */
export function takeAppend(
  log: RaftLog,
  message: AppendRequest,
): Pick<AppendResponse, 'index' | 'refused'> {
  const { previousIndex, previousTerm, entries, commit } = message;
  if (previousIndex < log.committed) return { index: log.committed };
  if (!log.has(previousIndex, previousTerm)) {
    const index = log.lastAtOrBelow(previousIndex, previousTerm);
    return { index: previousIndex, refused: { index, term: log.termAt(index) } };
  }
  log.merge(entries);
  const index = previousIndex + entries.length;
  log.commitTo(Math.min(commit, index));
  return { index };
}

/** Takes a leader's snapshot; answers whether it has to be installed, and is not in the log already. */
export function takeSnapshot(log: RaftLog, snapshot: SnapshotMark): boolean {
  if (snapshot.index <= log.committed) return false;
  if (log.has(snapshot.index, snapshot.term)) {
    log.commitTo(snapshot.index);
    return false;
  }
  log.restore(snapshot);
  return true;
}
