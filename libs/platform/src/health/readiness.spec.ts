import { expect, it } from 'vitest';
import { Readiness } from './readiness.js';

it('is ready when every check is fine', async () => {
  const readiness = new Readiness([{ name: 'nats', check: async () => null }]);
  expect(await readiness.report()).toEqual({ ready: true, checks: { nats: 'ok' } });
});

it('names what fails, throws, or does not answer in time', async () => {
  const readiness = new Readiness(
    [
      { name: 'fine', check: async () => null },
      { name: 'nats', check: async () => 'not connected' },
      { name: 'postgres', check: () => Promise.reject(new Error('refused')) },
      { name: 'metadata', check: () => new Promise(() => undefined) },
    ],
    5,
  );
  expect(await readiness.report()).toEqual({
    ready: false,
    checks: {
      fine: 'ok',
      nats: 'not connected',
      postgres: 'refused',
      metadata: 'no answer within 5 ms',
    },
  });
});

it('runs once for all who ask at the same time, and again for the next', async () => {
  let runs = 0;
  const readiness = new Readiness([{ name: 'counted', check: async () => ((runs += 1), null) }]);
  await Promise.all([readiness.report(), readiness.report(), readiness.report()]);
  expect(runs).toBe(1);
  await readiness.report();
  expect(runs).toBe(2);
});

it('shows what is wrong and keeps nothing from being ready, where that is asked for', async () => {
  const check = () => Promise.resolve('look at it');
  const readiness = new Readiness([{ name: 'restore', check, shownOnly: true }]);
  expect(await readiness.report()).toEqual({ ready: true, checks: { restore: 'look at it' } });
});
