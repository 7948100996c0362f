import { address } from '@pawl/contracts';
import { expect, it } from 'vitest';
import type { EngineContext } from '../engine-context.js';
import { emptyRun, type Incarnation } from './incarnation.js';
import { RunJournal } from './run-journal.js';

const APP = address('acme/app').text;
const DAY_MS = 86_400_000;

it('notes what is, as of now, although a clock that was a day ahead has noted of tomorrow', () => {
  let wallMs = 1_000_000;
  const clock = { wallMs: () => wallMs, monotonicMs: () => 0 };
  const formatTime = String;
  const journal = new RunJournal({ clock, formatTime } as unknown as EngineContext);
  const one = { ref: { root: 'acme', workload: 'w', consumerId: 'c' }, id: 'i', left: false };
  const run = emptyRun();
  const note = (version: number): void => {
    run.version = version;
    journal.note(one as unknown as Incarnation, APP, { run, atMs: wallMs });
  };
  /** What is told of a time: what was noted last until then, a later note of the same time before an earlier. */
  const rows = new Map<number, number>();
  const told = (atMs: number): number | undefined => {
    for (const { at, version } of journal.take().runs) rows.set(Number(at), version);
    const last = Math.max(...[...rows.keys()].filter((rowMs) => rowMs <= atMs));
    return rows.get(last);
  };

  note(1);
  wallMs += DAY_MS;
  note(2);
  wallMs -= DAY_MS - 10_000;
  note(3);
  expect(told(wallMs)).toBe(3);
  expect(told(wallMs + 2 * DAY_MS)).toBe(3);
  wallMs += 5_000;
  note(4);
  expect([told(wallMs - 5_000), told(wallMs), told(wallMs + 2 * DAY_MS)]).toEqual([3, 4, 4]);
  wallMs += 2 * DAY_MS;
  note(5);
  note(6);
  expect([told(wallMs - 1), told(wallMs), told(wallMs + 1)]).toEqual([4, 5, 6]);
  expect(rows.size).toBe(6);
});
