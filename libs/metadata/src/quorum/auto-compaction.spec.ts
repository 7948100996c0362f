import { ManualTime } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { AutoCompaction } from './auto-compaction.js';
import type { Compaction } from './quorum-settings.js';

function desk(compaction: Compaction, state = { revision: 1, compactRevision: 0 }) {
  const time = new ManualTime();
  const asked: number[] = [];
  const log = { takes: true };
  const subject = new AutoCompaction({
    clock: time,
    timer: time,
    compaction,
    state,
    compact: (revision) => {
      asked.push(revision);
      return log.takes;
    },
  });
  const write = (revisions: number): void => {
    for (let left = revisions; left > 0; left -= 1) {
      state.revision += 1;
      subject.applied();
    }
  };
  return { time, state, asked, subject, write, log };
}

describe('compaction by count', () => {
  it('comes when twice as much is kept as must be, and leaves that', () => {
    const { asked, write, state } = desk({ mode: 'revision', keepRevisions: 10 });
    write(19);
    expect(asked).toEqual([]);
    write(1);
    expect(asked).toEqual([11]);
    state.compactRevision = 11;
    write(21);
    expect(asked).toEqual([11, 22]);
  });

  it('is asked for once while it takes its time', () => {
    const { asked, write } = desk({ mode: 'revision', keepRevisions: 10 });
    write(30);
    expect(asked).toEqual([11]);
    write(2);
    expect(asked).toEqual([11, 22]);
  });

  it('is asked for again with the next write while the log refuses it', () => {
    const { asked, write, log } = desk({ mode: 'revision', keepRevisions: 10 });
    log.takes = false;
    write(21);
    log.takes = true;
    write(5);
    expect(asked).toEqual([11, 12, 13]);
  });

  it('comes at once where a leader finds much', () => {
    const state = { revision: 1000, compactRevision: 3 };
    expect(desk({ mode: 'revision', keepRevisions: 10 }, state).asked).toEqual([990]);
  });
});

describe('compaction by age', () => {
  it('forgets what is older, a tenth late at most', () => {
    const { asked, write, time, state } = desk({ mode: 'periodic', keepMs: 1000 });
    for (let at = 0; at < 10; at += 1) {
      write(5);
      time.advance(100);
    }
    expect(asked).toEqual([]);
    state.compactRevision = 1;
    time.advance(100);
    expect(asked).toEqual([6]);
    state.compactRevision = 6;
    time.advance(450);
    expect(asked).toEqual([6, 11, 16, 21, 26]);
  });

  it('has nothing to forget where nothing is written', () => {
    const { asked, write, time, state } = desk({ mode: 'periodic', keepMs: 1000 });
    write(5);
    state.compactRevision = 6;
    time.advance(10_000);
    expect(asked).toEqual([]);
  });

  it('stops when it is told to', () => {
    const { asked, write, time, subject } = desk({ mode: 'periodic', keepMs: 1000 });
    write(5);
    subject.stop();
    time.advance(10_000);
    expect(asked).toEqual([]);
  });
});

it('does nothing when it is off', () => {
  const { asked, write, time } = desk({ mode: 'off' });
  write(100_000);
  time.advance(10_000_000);
  expect(asked).toEqual([]);
});
