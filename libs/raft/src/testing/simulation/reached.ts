import { isJoint } from '../../core/index.js';
import type { CoreStatus, LogIndex, Message, RaftCore, Term } from '../../core/index.js';

/** A node just before it takes a message. */
export interface Before {
  readonly status: CoreStatus;
  readonly hasReady: boolean;
  /** First entry of the message that contradicts the log above its commit index. */
  readonly conflict: { readonly index: LogIndex; readonly term: Term } | undefined;
}

export function lookBefore(core: RaftCore, message: Message): Before {
  const { status, hasReady } = core;
  const named =
    message.type === 'append'
      ? message.entries
      : message.type === 'snapshot'
        ? [message.snapshot]
        : [];
  const conflict = named.find(
    ({ index, term }) => index > status.commit && index <= status.last && !core.holds(index, term),
  );
  return { status, hasReady, conflict };
}

/** Names of the interesting states that a message brought a node to. */
export function whatHappened(core: RaftCore, message: Message, before: Before): readonly string[] {
  const { status: was, conflict } = before;
  const now = core.status;
  const happened: string[] = [];
  if (message.type === 'pre-vote' && message.term > was.term && was.leader !== null) {
    if (!before.hasReady && !core.hasReady) happened.push('pre-vote refused: a leader is heard');
  }
  if (was.role === 'leader' && now.role !== 'leader') {
    happened.push(now.term > was.term ? 'leader met a later term' : 'leader left');
  }
  if (conflict === undefined || !core.holds(conflict.index, conflict.term)) return happened;
  if (message.type === 'snapshot') return [...happened, 'snapshot over a conflicting log'];
  const cut = was.last - conflict.index + 1;
  happened.push(cut >= 2 ? 'log truncated by two or more' : 'log truncated by one');
  if (isJoint(was.configuration) && !isJoint(now.configuration)) {
    happened.push('joint configuration truncated');
  }
  return happened;
}
