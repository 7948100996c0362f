import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AdminClient } from '@pawl/admin-client';
import type { Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { runPawl } from '../support/run-pawl.js';
import { startStack, type TestStack } from '../support/stack.js';

interface Config {
  readonly currency: string;
}

const SHOP = 'acme/prod/shop';
const AHEAD_MS = 2_000;

let stack: TestStack;
let ada: AdminClient;
let scope: Scope<Config>;

beforeAll(async () => {
  stack = await startStack();
  ada = stack.admin('ada');
  await stack.promote('acme/prod', { currency: 'EUR' });
  scope = await (await stack.connectSdk({ consumerId: 'shop-1' })).open<Config>(SHOP);
  await stack.converged(SHOP, 1);
  await ada.putConfig('acme/prod', { json: { currency: 'SEK' } }, { expect: 1 });
});
afterAll(() => stack?.stop());

it('a promote at a time begins though the node was killed before, and is told until then', async () => {
  const at = new Date(Date.now() + AHEAD_MS).toISOString();
  const request = { action: 'promote', at, reason: 'at night' };
  const { queued } = await ada.release('acme/prod', request);
  expect(queued).toMatchObject({ targetVersion: 2, at, by: 'ada', strategy: 'all-at-once' });
  await stack.controlPlane.kill();
  expect(scope.current.currency).toBe('EUR');
  await stack.controlPlane.start();
  await eventually(() => expect(scope.current.currency).toBe('SEK'), 60_000);
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(at));
  ada = stack.admin('ada');
  const { stableVersion, releaseVersion, queued: rest } = await ada.getRelease('acme/prod');
  expect([stableVersion, releaseVersion, rest]).toEqual([2, 3, undefined]);
  const { items } = await ada.history('acme/prod', { limit: 2 });
  expect(items.map(({ action, author }) => [action, author])).toEqual([
    ['promote', 'ada'],
    ['schedule', 'ada'],
  ]);
  expect(items[0]?.reason).toBe(`scheduled for ${at}, begun by pawl: at night`);
});

it('a promote is queued behind one in stages with the CLI, and begins after it', async () => {
  const pawl = (...args: string[]) => runPawl(args, { PAWL_URL: stack.controlPlane.url });
  await ada.putConfig('acme/prod', { json: { currency: 'NOK' } }, { expect: 2 });
  const stages = [{ count: 1, bakeMs: 3_600_000 }, { percent: 100 }];
  await ada.release('acme/prod', { action: 'promote', strategy: { stages, gates: [] } });
  await ada.putConfig('acme/prod', { json: { currency: 'DKK' } }, { expect: 3 });
  const queued = await pawl('promote', 'acme/prod', '--queue', '--actor', 'eve');
  expect([queued.code, queued.err]).toEqual([0, '']);
  expect(queued.out).toContain('version 4 by all-at-once is queued, asked for by eve');
  const listed = await pawl('releases', '--state', 'queued');
  expect(listed.out).toMatch(/queued +version 4 by all-at-once/);
  expect((await pawl('status', 'acme/prod')).out).toContain('it waits for the end of release');
  await ada.release('acme/prod', { action: 'skip' });
  await eventually(() => expect(scope.current.currency).toBe('DKK'), 60_000);
  const [begun] = (await ada.history('acme/prod', { limit: 1 })).items;
  expect(begun).toMatchObject({ action: 'promote', version: 4, author: 'eve' });
});
