import { QuorumRefusal } from './reach-quorum.js';
import { CliError } from '../../exit-codes.js';

/** What was asked: who it is about, and for a newcomer where it is to listen. */
export interface AskedChange {
  readonly node: string;
  readonly peerAddress?: string;
}

/** By etcd's words: what is wrong, and what to do. */
const SENTENCES: Readonly<Record<string, (asked: AskedChange) => string>> = {
  'member ID already exist': ({ node }) =>
    `${node} is a member already: give the new one another name, or take that one out first with \`cluster remove ${node}\``,
  'Peer URLs already exists': ({ peerAddress }) =>
    `another member is at ${peerAddress} already: give the new one an address of its own, or take that one out first (\`cluster members\` shows which it is)`,
  're-configuration failed due to not enough started members': ({ node }) =>
    `${node} is the last member that votes: a quorum cannot be without one; \`cluster add\` another and wait until it votes, or stop ${node} if the quorum is to end`,
  'too many learner members in cluster': () =>
    'the quorum takes no more members now: wait until those that learn vote (`cluster members`), or take one out',
  'unhealthy cluster': () =>
    'the quorum cannot change now: another change is under way, or too few members answer (`cluster members` shows who does); try again, or start what is down',
  'no leader': () =>
    'nobody leads the quorum now: see that a majority of its members runs (`cluster members`), then try again',
};

/** A refusal of a change as a sentence that says what to do; other errors come back as they are. */
export function explainRefusal(error: unknown, asked: AskedChange): unknown {
  if (!(error instanceof QuorumRefusal)) return error;
  const sentence = SENTENCES[error.message]?.(asked);
  return sentence === undefined ? error : new CliError(sentence);
}
