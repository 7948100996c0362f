import type { RolloutView } from '@pawl/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CliWorld, json } from '../testing/cli-world.js';

const AS_OF = '2026-01-02T12:00:03.000Z';
const AGE = `as of ${AS_OF}, its owner has not confirmed it since\n`;
const ROLLOUT: RolloutView = {
  address: 'acme/app',
  published: null,
  consumers: { live: 0, applied: 0, lagging: 0, rejected: 0, byVersion: {} },
  rejections: [],
  propagationMs: { p50: null, p95: null, p99: null, max: null },
  converged: false,
};

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
});
afterEach(() => world.stop());

it('says how old rollout and consumers are, where their owner does not confirm them', async () => {
  world.answers.set('GET /v1/rollout/acme/app', json({ ...ROLLOUT, asOf: AS_OF }));
  world.answers.set('GET /v1/consumers/acme/app?limit=100', json({ items: [], asOf: AS_OF }));
  expect((await world.pawl('status', 'acme/app')).out).toMatch(new RegExp(`converged\n${AGE}$`));
  expect((await world.pawl('consumers', 'acme/app')).out).toMatch(new RegExp(`REASON\n${AGE}$`));
});

it('says nothing of an age where they are confirmed', async () => {
  world.answers.set('GET /v1/rollout/acme/app', json(ROLLOUT));
  world.answers.set('GET /v1/consumers/acme/app?limit=100', json({ items: [] }));
  expect((await world.pawl('status', 'acme/app')).out).toMatch(/converged\n$/);
  expect((await world.pawl('consumers', 'acme/app')).out).toMatch(/REASON\n$/);
});
