import { ManualTime } from '@pawl/kernel';
import { expect, it } from 'vitest';
import { DEFAULT_STATE_LIMITS, MetadataState, NO_LEASE } from '../state/index.js';
import type { CommandBody } from '../state/index.js';
import { textToBytes } from '../text.js';
import { Scavenger } from './scavenger.js';

/** Far more than one step looks at. */
const CHANGES = 5_000;

/** A store of one key with a long history, compacted up to its end. */
function desk() {
  const time = new ManualTime();
  const state = new MetadataState(DEFAULT_STATE_LIMITS);
  let index = 0;
  const apply = (command: CommandBody): void => {
    index += 1;
    state.apply(command, { index, term: 1 });
  };
  const put = {
    kind: 'put',
    key: textToBytes('k'),
    value: textToBytes('v'),
    lease: NO_LEASE,
  } as const;
  for (let at = 0; at < CHANGES; at += 1) {
    apply({ kind: 'txn', compare: [], success: [put], failure: [] });
  }
  apply({ kind: 'compact', revision: state.revision });
  let timers = 0;
  const scavenger = new Scavenger(state, {
    after: (delayMs, callback) => {
      timers += 1;
      return time.after(delayMs, callback);
    },
  });
  const left = (): number => state.keptBytes - state.sizeBytes;
  return { time, scavenger, left, armed: () => timers };
}

it('gives the memory of compacted history back in small steps, with rests between', () => {
  const { time, scavenger, left } = desk();
  const all = left();
  expect(all).toBeGreaterThan(0);
  scavenger.wake();
  scavenger.wake();
  expect(left()).toBe(all);
  const steps: number[] = [];
  while (left() > 0 && steps.length < 100) {
    time.advance(10);
    steps.push(left());
  }
  expect(left()).toBe(0);
  expect(steps.length).toBeGreaterThan(3);
  expect(steps).toEqual([...steps].sort((a, b) => b - a));
});

it('has nothing to do where nothing is left', () => {
  const { time, scavenger, left, armed } = desk();
  scavenger.wake();
  time.advance(10_000);
  expect(left()).toBe(0);
  const before = armed();
  scavenger.wake();
  time.advance(10_000);
  expect(armed()).toBe(before);
});

it('finishes at once for who asks', async () => {
  const { time, scavenger, left } = desk();
  let finished = false;
  const finishing = scavenger.finish().then(() => (finished = true));
  for (let turn = 0; turn < 1_000 && !finished; turn += 1) {
    await Promise.resolve();
    time.advance(0);
  }
  await finishing;
  expect(left()).toBe(0);
});

it('does nothing more once it is stopped', async () => {
  const { time, scavenger, left } = desk();
  scavenger.wake();
  time.advance(10);
  const before = left();
  scavenger.stop();
  scavenger.wake();
  time.advance(10_000);
  await scavenger.finish();
  expect(left()).toBe(before);
});
