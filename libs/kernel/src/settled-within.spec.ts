import { expect, it } from 'vitest';
import { ManualTime } from './clock.js';
import { settledWithin } from './settled-within.js';

/** Counts the timers that nobody has cancelled. */
class CountedTime extends ManualTime {
  pending = 0;

  override after(delayMs: number, callback: () => void) {
    const handle = super.after(delayMs, callback);
    this.pending += 1;
    return {
      cancel: () => {
        this.pending -= 1;
        handle.cancel();
      },
    };
  }
}

it('says whether work has settled in time, either way, and leaves no timer behind', async () => {
  const time = new CountedTime();
  expect(await settledWithin(Promise.resolve(1), 10, time)).toBe(true);
  expect(await settledWithin(Promise.reject(new Error('no')), 10, time)).toBe(true);
  const waiting = settledWithin(new Promise(() => undefined), 10, time);
  time.advance(9);
  expect(time.pending).toBe(1);
  time.advance(1);
  expect(await waiting).toBe(false);
  expect(time.pending).toBe(0);
});

it('hears the failure of work that is late', async () => {
  const time = new ManualTime();
  let fail = (): void => undefined;
  const work = new Promise((_resolve, reject) => (fail = () => reject(new Error('late'))));
  const waiting = settledWithin(work, 10, time);
  time.advance(10);
  expect(await waiting).toBe(false);
  fail();
  await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
});
