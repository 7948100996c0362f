import { address } from '@pawl/contracts';
import type { LookJobs } from '@pawl/jobs';
import { expect, it } from 'vitest';
import { LookHints } from './look-hints.js';

it('hints that come before there is a queue are kept for it, up to a number', () => {
  const asked: string[] = [];
  const jobs: LookJobs = {
    at: ({ text }, wallMs) => void asked.push(`${text} at ${wallMs}`),
    committed: () => undefined,
    close: () => Promise.resolve(),
  };
  const hints = new LookHints();
  for (let time = 1; time <= 1_100; time += 1) hints.at(address('acme/app'), time);
  hints.use(jobs);
  expect(asked).toHaveLength(1_000);
  expect(asked[0]).toBe('acme/app at 1');
  hints.at(address('acme/app'), 1_101);
  expect(asked.at(-1)).toBe('acme/app at 1101');
  hints.use(jobs);
  expect(asked).toHaveLength(1_001);
});
