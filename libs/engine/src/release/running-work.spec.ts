import { expect, it, vi } from 'vitest';
import { RunningWork } from './running-work.js';

it('tells how work ended and when it may be tried again, and is stopped once nothing is under way', async () => {
  const work = new RunningWork({ monotonicMs: () => 500 }, 2_000);
  const told: unknown[] = [];
  const end = {
    failed: (error: unknown, notBeforeMs: number) => void told.push([String(error), notBeforeMs]),
    ended: () => void told.push('ended'),
  };
  work.begin(() => Promise.reject(new Error('no')), end);
  await vi.waitFor(() => expect(told).toEqual([['Error: no', 2_500], 'ended']));
  let finish = (): void => undefined;
  work.begin(() => new Promise<void>((resolve) => (finish = resolve)), end);
  expect(work.isStopped).toBe(false);
  let isOver = false;
  const stopped = work.stop().then(() => (isOver = true));
  expect([work.isStopped, isOver]).toEqual([true, false]);
  finish();
  await stopped;
  expect(told).toHaveLength(3);
});
