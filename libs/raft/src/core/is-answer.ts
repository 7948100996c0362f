import type { Message } from './types.js';

/**
 * Whether it says what its sender grants or holds, which counts towards a majority. Only a member that
 * the receiver's log knows may be counted; a leader, or a candidate, may be anybody (Raft thesis §4.1).
 */
export function isAnswer({ type }: Pick<Message, 'type'>): boolean {
  switch (type) {
    case 'pre-vote-response':
    case 'vote-response':
    case 'append-response':
    case 'heartbeat-response':
      return true;
    default:
      return false;
  }
}
