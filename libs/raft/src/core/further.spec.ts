import { seededRng } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { foundingState, RaftCore } from './index.js';
import type { AppendRequest, Entry, Message, RaftConfig } from './index.js';

const CONFIG = {
  heartbeatTicks: 1,
  electionTicks: 10,
  maxUncommittedBytes: 1e6,
  maxApplyBytes: 1e6,
  maxMessageBytes: 1e6,
  maxInflightMessages: 64,
  maxInflightBytes: 1e6,
  maxReads: 100,
  catchUpEntries: 10,
};

function follower(config: Partial<RaftConfig> = {}): RaftCore {
  const founding = foundingState(['f', 'l']);
  return new RaftCore({ ...CONFIG, ...config, id: 'f', rng: seededRng(1) }, founding);
}

const HEAD = { from: 'l', to: 'f', term: 1 };

function append(from: number, count: number, commit: number): AppendRequest {
  const entries = Array.from({ length: count }, (_, at): Entry => {
    return { index: from + at, term: 1, kind: 'command', data: new Uint8Array(1) };
  });
  const before = { previousIndex: from - 1, previousTerm: from === 1 ? 0 : 1 };
  return { ...HEAD, type: 'append', ...before, entries, commit };
}

function heartbeat(commit: number): Message {
  return { ...HEAD, type: 'heartbeat', commit, round: 0 };
}

/** A follower whose first three entries are durable, and that writes the next two. */
function writing(): RaftCore {
  const core = follower();
  core.step(append(1, 3, 0));
  core.ready();
  core.advance();
  core.step(append(4, 2, 1));
  expect(core.ready().committedEntries.map(({ index }) => index)).toEqual([1]);
  core.applied(1);
  return core;
}

const indexes = (core: RaftCore): number[] =>
  core.further().committedEntries.map(({ index }) => index);

describe('what need not wait for a write', () => {
  it('is handed out once, as it is committed, and applied when that is reported', () => {
    const core = writing();
    core.step(heartbeat(2));
    expect(indexes(core)).toEqual([2]);
    expect(indexes(core)).toEqual([]);
    core.step(heartbeat(5));
    expect(indexes(core)).toEqual([3]);
    expect(core.status.applied).toBe(1);
    core.applied(3);
    expect(core.status.applied).toBe(3);
    core.advance();
    expect(core.ready().committedEntries.map(({ index }) => index)).toEqual([4, 5]);
    core.advance();
    expect(core.status.applied).toBe(3);
    expect(core.hasReady).toBe(false);
    core.applied(4);
    core.applied(5);
    expect(core.status.applied).toBe(5);
  });

  it('is applied only once it was handed out', () => {
    const core = writing();
    core.step(heartbeat(3));
    expect(() => core.applied(2)).toThrow('only what was handed out is applied');
    expect(indexes(core)).toEqual([2, 3]);
    core.applied(2);
    expect(() => core.applied(2)).toThrow('only what was handed out is applied');
    expect(() => core.applied(4)).toThrow('only what was handed out is applied');
  });

  it('is handed out as there is room for it, whatever is written meanwhile', () => {
    const core = follower({ maxApplyBytes: 2 * 65 });
    core.step(append(1, 5, 0));
    core.ready();
    core.advance();
    core.step(append(6, 1, 5));
    expect(core.ready().committedEntries.map(({ index }) => index)).toEqual([1, 2]);
    expect(indexes(core)).toEqual([]);
    core.advance();
    expect(core.hasReady).toBe(false);
    core.applied(1);
    expect(core.ready().committedEntries.map(({ index }) => index)).toEqual([3]);
    core.applied(3);
    expect(indexes(core)).toEqual([4, 5]);
  });

  it('is nothing while nothing is outstanding', () => {
    const core = writing();
    core.advance();
    core.step(heartbeat(3));
    expect(indexes(core)).toEqual([]);
    expect(core.ready().committedEntries.map(({ index }) => index)).toEqual([2, 3]);
  });

  it('is nothing once a snapshot is to take the place of the log', () => {
    const core = writing();
    core.step(heartbeat(3));
    const configuration = { voters: ['f', 'l'], outgoing: [], learners: [], learnersNext: [] };
    const snapshot = { index: 9, term: 1, configuration };
    core.step({ ...HEAD, type: 'snapshot', snapshot });
    expect(indexes(core)).toEqual([]);
    core.advance();
    expect(core.status.applied).toBe(1);
    expect(core.ready().snapshot).toEqual(snapshot);
    expect(indexes(core)).toEqual([]);
    core.advance();
    expect(core.status.applied).toBe(9);
  });

  it('is let go by a snapshot, though it is still being applied', () => {
    const core = writing();
    core.step(heartbeat(3));
    expect(indexes(core)).toEqual([2, 3]);
    const configuration = { voters: ['f', 'l'], outgoing: [], learners: [], learnersNext: [] };
    core.step({ ...HEAD, type: 'snapshot', snapshot: { index: 9, term: 1, configuration } });
    core.advance();
    core.ready();
    core.applied(2);
    expect(core.status.applied).toBe(2);
    core.advance();
    expect(core.status.applied).toBe(9);
    core.step({ ...append(10, 1, 10), previousTerm: 1 });
    core.ready();
    core.advance();
    expect(core.ready().committedEntries.map(({ index }) => index)).toEqual([10]);
  });

  it('are reads, which are handed out once', () => {
    const core = writing();
    core.read(7);
    core.step({ ...HEAD, type: 'read-response', id: 7, index: 3 });
    expect(core.further().reads).toEqual([{ id: 7, index: 3 }]);
    expect(core.further().reads).toEqual([]);
    core.advance();
    expect(core.ready().reads).toEqual([]);
  });
});

describe('what is written', () => {
  it('is never written again where a later leader left it in the log', () => {
    const core = follower();
    core.step(append(1, 3, 2));
    expect(core.ready().entries.map(({ index }) => index)).toEqual([1, 2, 3]);
    const data = new Uint8Array(1);
    const other: Entry = { index: 3, term: 2, kind: 'command', data };
    const head = { from: 'm', to: 'f', term: 2, type: 'append' } as const;
    core.step({ ...head, previousIndex: 2, previousTerm: 1, entries: [other], commit: 2 });
    core.advance();
    const { entries, committedEntries } = core.ready();
    expect(entries).toEqual([other]);
    expect(committedEntries.map(({ index }) => index)).toEqual([1, 2]);
  });

  it('counts for nothing where a snapshot that is still to be installed has replaced it', () => {
    const core = follower();
    core.step(append(1, 6, 0));
    expect(core.ready().entries).toHaveLength(6);
    const configuration = { voters: ['f', 'l'], outgoing: [], learners: [], learnersNext: [] };
    const head = { from: 'm', to: 'f', term: 2 } as const;
    const other: Entry = { index: 1, term: 2, kind: 'command', data: new Uint8Array(1) };
    core.step({
      ...{ ...head, type: 'append', previousIndex: 0, previousTerm: 0 },
      ...{ entries: [other], commit: 0 },
    });
    const third = { from: 'l', to: 'f', term: 3 } as const;
    const snapshot = { index: 4, term: 1, configuration };
    core.step({ ...third, type: 'snapshot', snapshot });
    const again = append(5, 2, 4);
    core.step({ ...again, ...third, previousTerm: 1 });
    core.advance();
    const ready = core.ready();
    expect(ready.snapshot).toEqual(snapshot);
    expect(ready.entries.map(({ index }) => index)).toEqual([5, 6]);
  });
});
