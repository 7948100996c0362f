import { ManualTime } from '@pawl/kernel';
import type { AddressText } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { CommitQueue, CommitQueueFullError } from './commit-queue.js';
import type { FencingToken } from './fence.js';
import { OutcomeUnknownError, TruthUnavailableError } from './truth-store.port.js';
import type { Changeset, CommitOutcome } from './truth-store.port.js';

const MAX_WAITING = 100;
const MAX_WAIT_MS = 1_000;
const COMMITTED: CommitOutcome = { kind: 'committed', commits: 1n };
const CONFLICT: CommitOutcome = { kind: 'conflict', what: 'a row' };
const FENCED: CommitOutcome = { kind: 'fenced', token: 9n };

/** A transaction that was begun: whose changesets it holds, and how it ends. */
interface Transaction {
  readonly roots: readonly string[];
  readonly ends: (outcome: CommitOutcome | Error) => Promise<void>;
}

let time: ManualTime;
let queue: CommitQueue;
let begun: Transaction[];
/** How each changeset was answered, in the order of the answers. */
let answers: string[];

beforeEach(() => {
  time = new ManualTime();
  begun = [];
  answers = [];
  queue = new CommitQueue({
    commit: (changesets) =>
      new Promise((resolve, reject) => {
        const ends = async (outcome: CommitOutcome | Error): Promise<void> => {
          if (outcome instanceof Error) reject(outcome);
          else resolve(outcome);
          await settle();
        };
        begun.push({ roots: changesets.map(({ root }) => root), ends });
      }),
    clock: time,
    timer: time,
    maxWaiting: MAX_WAITING,
    maxWaitMs: MAX_WAIT_MS,
  });
});

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

function changeset(root: string, characters = 0): Changeset {
  const document = { text: 'x'.repeat(characters), hash: '' };
  const address = root as AddressText;
  const definition = { address, version: 1, document, schema: null, author: '', createdAt: '' };
  const none = { releases: [], snapshots: [], opened: [], forgotten: [], history: [] };
  return { ...none, root, definitions: [definition], idempotency: null };
}

function commit(...roots: string[]): void {
  for (const root of roots) commitOne(changeset(root));
}

function commitOne(one: Changeset): void {
  void queue.commit(one).then(
    ({ kind }) => answers.push(`${one.root} ${kind}`),
    (error: Error) => answers.push(`${one.root} ${error.name}`),
  );
}

const groups = (): (readonly string[])[] => begun.map(({ roots }) => roots);
const names = (count: number): string[] => Array.from({ length: count }, (_, each) => `r${each}`);

describe('a queue of commits', () => {
  it('sends what comes alone at once, and together what waits meanwhile, in order', async () => {
    commit('a');
    expect(groups()).toEqual([['a']]);
    commit('b', 'c', 'd');
    await settle();
    expect(groups()).toEqual([['a']]);
    await begun[0]?.ends(COMMITTED);
    expect(groups()).toEqual([['a'], ['b', 'c', 'd']]);
    commit('e');
    expect(answers).toEqual(['a committed']);
    await begun[1]?.ends(COMMITTED);
    expect(answers).toEqual(['a committed', 'b committed', 'c committed', 'd committed']);
    await begun[2]?.ends(COMMITTED);
    expect(groups()).toEqual([['a'], ['b', 'c', 'd'], ['e']]);
    commit('f');
    expect(groups()[3]).toEqual(['f']);
  });

  it('puts at most 64 changesets in one transaction', async () => {
    commit('first', ...names(100));
    await begun[0]?.ends(COMMITTED);
    await begun[1]?.ends(COMMITTED);
    expect(groups().map((roots) => roots.length)).toEqual([1, 64, 36]);
    expect(groups().flat()).toEqual(['first', ...names(100)]);
  });

  it('puts about one megabyte of texts in one transaction, and what is heavier alone', async () => {
    commit('first');
    for (const [root, kib] of Object.entries({ a: 400, b: 400, c: 400, d: 2_000, e: 1, f: 1 })) {
      commitOne(changeset(root, kib * 1024));
    }
    for (let index = 0; index < 4; index += 1) await begun[index]?.ends(COMMITTED);
    expect(groups()).toEqual([['first'], ['a', 'b'], ['c'], ['d'], ['e', 'f']]);
  });

  it('repeats a group one by one when one of it conflicts, and refuses only that one', async () => {
    commit('first', 'a', 'b', 'c');
    await begun[0]?.ends(COMMITTED);
    commit('d');
    await begun[1]?.ends(CONFLICT);
    expect(answers).toEqual(['first committed']);
    await begun[2]?.ends(COMMITTED);
    await begun[3]?.ends(CONFLICT);
    await begun[4]?.ends(COMMITTED);
    expect(groups().slice(1)).toEqual([['a', 'b', 'c'], ['a'], ['b'], ['c'], ['d']]);
    expect(answers.slice(1)).toEqual(['a committed', 'b conflict', 'c committed']);
  });

  it('repeats a group one by one when a text of it cannot be stored', async () => {
    commit('first', 'a', 'b');
    await begun[0]?.ends(COMMITTED);
    await begun[1]?.ends(new RangeError('unstorable'));
    await begun[2]?.ends(new RangeError('unstorable'));
    await begun[3]?.ends(COMMITTED);
    expect(answers.slice(1)).toEqual(['a RangeError', 'b committed']);
  });

  it.each([new OutcomeUnknownError('lost'), new TruthUnavailableError('down')])(
    'tells all of a group, once, that $name',
    async (error) => {
      commit('first', 'a', 'b');
      await begun[0]?.ends(COMMITTED);
      await begun[1]?.ends(error);
      expect(answers.slice(1)).toEqual([`a ${error.name}`, `b ${error.name}`]);
      expect(groups()).toHaveLength(2);
    },
  );

  it('stops repeating one by one when an answer is lost: the rest was surely not written', async () => {
    commit('first', 'a', 'b', 'c');
    await begun[0]?.ends(COMMITTED);
    await begun[1]?.ends(CONFLICT);
    await begun[2]?.ends(new OutcomeUnknownError('lost'));
    expect(answers.slice(1)).toEqual([
      'a OutcomeUnknownError',
      'b TruthUnavailableError',
      'c TruthUnavailableError',
    ]);
    commit('d');
    expect(groups().at(-1)).toEqual(['d']);
  });

  it('stops repeating one by one at the fence', async () => {
    commit('first', 'a', 'b', 'c');
    await begun[0]?.ends(COMMITTED);
    await begun[1]?.ends(CONFLICT);
    await begun[2]?.ends(COMMITTED);
    await begun[3]?.ends(FENCED);
    expect(answers.slice(1)).toEqual(['a committed', 'b fenced', 'c fenced']);
    expect(groups()).toHaveLength(4);
  });

  it('answers everything as fenced once it is closed, and sends nothing more', async () => {
    commit('first', 'a', 'b');
    expect(queue.close(5n as FencingToken)).toBe(2);
    commit('c');
    await settle();
    expect(answers).toEqual(['a fenced', 'b fenced', 'c fenced']);
    await begun[0]?.ends(COMMITTED);
    expect(answers.at(-1)).toBe('first committed');
    expect(groups()).toEqual([['first']]);
  });

  it('is drained once nothing waits and nothing is under way', async () => {
    let drained = false;
    await queue.drained();
    commit('a', 'b');
    void queue.drained().then(() => (drained = true));
    await begun[0]?.ends(COMMITTED);
    expect(drained).toBe(false);
    await begun[1]?.ends(new TruthUnavailableError('down'));
    expect(drained).toBe(true);
  });
});

describe('back-pressure', () => {
  it('refuses one more than may wait', async () => {
    commit('first', ...names(MAX_WAITING));
    await settle();
    expect(answers).toEqual([]);
    commit('too many');
    await settle();
    expect(answers).toEqual(['too many CommitQueueFullError']);
    await begun[0]?.ends(COMMITTED);
    commit('again');
    await settle();
    expect(answers).toHaveLength(2);
  });

  it('refuses what weighs too much together with all that waits, but never what comes alone', async () => {
    const heavy = 20 * 1024 * 1024;
    commitOne(changeset('first', heavy * 2));
    commitOne(changeset('a', heavy));
    await expect(queue.commit(changeset('b', heavy))).rejects.toThrow(CommitQueueFullError);
    await begun[0]?.ends(COMMITTED);
    commitOne(changeset('c', heavy));
    await settle();
    expect(answers).toEqual(['first committed']);
  });

  it('refuses what has waited too long, and sends the rest', async () => {
    commit('first', 'a');
    time.advance(MAX_WAIT_MS / 2);
    commit('b', 'c');
    time.advance(MAX_WAIT_MS / 2 - 1);
    await settle();
    expect(answers).toEqual([]);
    time.advance(1);
    await settle();
    expect(answers).toEqual(['a TruthUnavailableError']);
    await begun[0]?.ends(COMMITTED);
    expect(groups()).toEqual([['first'], ['b', 'c']]);
    commit('d');
    time.advance(MAX_WAIT_MS - 1);
    await settle();
    expect(answers).toEqual(['a TruthUnavailableError', 'first committed']);
    time.advance(1);
    await settle();
    expect(answers.at(-1)).toBe('d TruthUnavailableError');
  });
});
