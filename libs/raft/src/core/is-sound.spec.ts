import { describe, expect, it } from 'vitest';
import { encodeConfiguration, foundedBy } from './configuration.js';
import type { Configuration } from './configuration.js';
import { MAX_INDEX, MAX_TERM } from './ids.js';
import { isSound } from './is-sound.js';
import type { AppendRequest, Entry, Message, SnapshotMessage } from './types.js';

const head = { from: 'a', to: 'b', term: 5 } as const;
const abc = foundedBy(['a', 'b', 'c']);

function entry(index: number, term: number, data = new Uint8Array(0)): Entry {
  return { index, term, kind: 'command', data };
}

function append(change: Partial<AppendRequest>): AppendRequest {
  const entries = [entry(8, 4), entry(9, 5)];
  const position = { previousIndex: 7, previousTerm: 4 };
  return { type: 'append', ...head, ...position, entries, commit: 7, ...change };
}

function changing(configuration: Configuration | Uint8Array): AppendRequest {
  const data =
    configuration instanceof Uint8Array ? configuration : encodeConfiguration(configuration);
  return append({ entries: [{ index: 8, term: 5, kind: 'configuration', data }] });
}

function snapshot(change: Partial<SnapshotMessage['snapshot']>): SnapshotMessage {
  const mark = { index: 9, term: 5, configuration: abc, ...change };
  return { type: 'snapshot', ...head, snapshot: mark };
}

const SOUND: readonly Message[] = [
  append({}),
  append({ entries: [], commit: 100 }),
  append({ previousIndex: 0, previousTerm: 0, entries: [entry(1, 1)] }),
  changing({ ...abc, outgoing: ['a', 'b', 'd'], learners: ['e'], learnersNext: ['d'] }),
  snapshot({}),
  { type: 'vote', ...head, lastIndex: 9, lastTerm: 4, transfer: false },
  { type: 'pre-vote', ...head, term: 1, lastIndex: 0, lastTerm: 0, transfer: false },
  { type: 'pre-vote-response', ...head, granted: true },
  { type: 'append-response', ...head, index: 0, refused: { index: 0, term: 0 } },
  { type: 'append-response', ...head, index: MAX_INDEX },
  { type: 'heartbeat', ...head, term: MAX_TERM, commit: 0, round: 0 },
  { type: 'read', ...head, id: Number.MAX_SAFE_INTEGER },
];

const UNSOUND: readonly (readonly [why: string, message: Message])[] = [
  ['nobody sent it', { type: 'timeout-now', ...head, from: '' }],
  ['no term', { type: 'timeout-now', ...head, term: 0 }],
  ['half a term', { type: 'timeout-now', ...head, term: 1.5 }],
  ['a term that nobody reaches', { type: 'timeout-now', ...head, term: MAX_TERM + 1 }],
  [
    'a log as new as the vote',
    { type: 'vote', ...head, lastIndex: 9, lastTerm: 5, transfer: true },
  ],
  ['an index of no term', { type: 'vote', ...head, lastIndex: 9, lastTerm: 0, transfer: false }],
  ['a term of no index', append({ previousIndex: 0, entries: [] })],
  ['an entry above the term', append({ entries: [entry(8, 6)] })],
  ['a previous entry above the term', append({ previousTerm: 6, entries: [] })],
  ['entries whose terms fall', append({ entries: [entry(8, 5), entry(9, 4)] })],
  ['an entry whose term falls', append({ entries: [entry(8, 3)] })],
  ['a gap between entries', append({ entries: [entry(8, 4), entry(10, 5)] })],
  ['a gap before the entries', append({ entries: [entry(9, 5)] })],
  [
    'an index that nobody reaches',
    append({ previousIndex: MAX_INDEX, entries: [], commit: MAX_INDEX + 1 }),
  ],
  ['a commit index below 0', append({ commit: -1 })],
  ['a configuration that is none', changing(new Uint8Array([1, 2, 3]))],
  ['a configuration without voters', changing(foundedBy([]))],
  ['a learner that votes', changing({ ...abc, learners: ['c'] })],
  ['a learner to be that does not vote', changing({ ...abc, learnersNext: ['d'] })],
  ['a snapshot of nothing', snapshot({ index: 0, term: 0 })],
  ['a snapshot above the term', snapshot({ term: 6 })],
  ['a snapshot without voters', snapshot({ configuration: foundedBy([]) })],
  ['an acknowledgement of half an index', { type: 'append-response', ...head, index: 1.5 }],
  [
    'a hint above what is refused',
    { type: 'append-response', ...head, index: 3, refused: { index: 4, term: 1 } },
  ],
  [
    'a hint above the term',
    { type: 'append-response', ...head, index: 3, refused: { index: 3, term: 6 } },
  ],
  ['a round that is no number', { type: 'heartbeat-response', ...head, round: NaN }],
  ['a read that is no number', { type: 'read', ...head, id: Infinity }],
  ['an answer at no index', { type: 'read-response', ...head, id: 1, index: -1 }],
];

describe('what a node in its right mind may say', () => {
  it.each(SOUND.map((message) => [message.type, message] as const))('%s', (_, message) => {
    expect(isSound(message)).toBe(true);
  });

  it.each(UNSOUND)('not %s', (_, message) => {
    expect(isSound(message)).toBe(false);
  });
});
