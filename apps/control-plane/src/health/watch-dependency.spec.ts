import { ManualTime } from '@pawl/kernel';
import { beforeEach, expect, it } from 'vitest';
import { watchDependency } from './watch-dependency.js';

const TTL_MS = 5_000;

let time: ManualTime;
let told: (string | null)[];
let answers: ((healthy: boolean) => void)[];
let watching: { stop(): void };

beforeEach(() => {
  time = new ManualTime();
  told = [];
  answers = [];
  watching = watchDependency({
    name: 'PostgreSQL',
    answers: () => new Promise((resolve) => void answers.push(resolve)),
    tell: (problem) => void told.push(problem),
    leaseTtlMs: TTL_MS,
    timer: time,
  });
});

async function answer(healthy: boolean): Promise<void> {
  answers.at(-1)?.(healthy);
  await Promise.resolve();
  await Promise.resolve();
}

it('tells each answer, and asks again a tenth of the lease TTL later', async () => {
  await answer(true);
  time.advance(499);
  expect(answers).toHaveLength(1);
  time.advance(1);
  expect(answers).toHaveLength(2);
  await answer(false);
  time.advance(500);
  await answer(true);
  expect(told).toEqual([null, 'PostgreSQL does not answer', null]);
});

it('takes a late answer for none until it comes, and asks one question at a time', async () => {
  time.advance(TTL_MS);
  expect(answers).toHaveLength(1);
  expect(told).toEqual(['PostgreSQL does not answer']);
  await answer(true);
  expect(told.at(-1)).toBeNull();
  time.advance(500);
  expect(answers).toHaveLength(2);
});

it('says nothing more once it is stopped', async () => {
  watching.stop();
  time.advance(TTL_MS);
  await answer(true);
  time.advance(TTL_MS);
  expect([told, answers.length]).toEqual([[], 1]);
});
