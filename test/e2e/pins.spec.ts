import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { runPawl } from '../support/run-pawl.js';
import { startStack, type TestStack } from '../support/stack.js';

interface Config {
  readonly limit: number;
}

const ABOVE = 'acme/prod';
const PINNED = 'acme/prod/eu';
/** Known only since a consumer opens it. */
const SHOP = 'acme/prod/eu/shop';
const OTHER = 'acme/prod/us/shop';
/** A minute is the least that a pin holds. */
const EXPIRED_MS = 90_000;

let stack: TestStack;
let eu: Scope<Config>;
let us: Scope<Config>;

beforeAll(async () => {
  stack = await startStack();
  for (const limit of [11, 12]) await stack.promote(ABOVE, { limit });
  await stack.promote(PINNED, {});
  const consumer = await stack.connectSdk({ consumerId: 'shop-1' });
  [eu, us] = [await consumer.open<Config>(SHOP), await consumer.open<Config>(OTHER)];
  await stack.converged(SHOP, 1);
});
afterAll(() => stack?.stop());

const pawl = (...args: string[]) => runPawl(args, { PAWL_URL: stack.controlPlane.url });
const limits = () => [eu.current.limit, us.current.limit];
const pin = (...args: string[]) =>
  pawl('pin', PINNED, '--layer', ABOVE, '--reason', 'slow in eu', '--actor', 'eve', ...args);

/** Version 1 has the limit 11. */
async function write(limit: number): Promise<void> {
  await stack.admin('ada').putConfig(ABOVE, { json: { limit } }, { expect: limit - 11 });
}

it('keeps a running consumer where it is, takes it lower, and lets it go again', async () => {
  expect(limits()).toEqual([12, 12]);
  const kept = await pin('--for', '7d');
  expect([kept.code, kept.err]).toEqual([0, '']);
  expect(kept.out).toContain(`${PINNED} stays at version 2 of ${ABOVE} until `);
  await write(13);
  const promoted = await pawl('promote', ABOVE);
  expect(promoted.out).toContain(`1 address below stays, whatever is released here: ${PINNED}`);
  await eventually(() => expect(limits()).toEqual([12, 13]));
  await stack.converged(SHOP, 1);
  expect((await pin('--to', '1', '--for', '1d')).code).toBe(0);
  await eventually(() => expect(limits()).toEqual([11, 13]));
  expect((await pawl('status', PINNED)).out).toContain('slow in eu');
  const explained = await pawl('explain', SHOP);
  expect(explained.out).toMatch(/\/limit +11 +acme\/prod +1 /);
  expect(explained.err).toContain(`${PINNED} stays at version 1 of ${ABOVE}`);
  const higher = await pin('--to', '4', '--for', '1d');
  expect([higher.code, higher.err]).toEqual([1, expect.stringContaining('version 3 is what')]);
  expect((await pawl('unpin', PINNED, '--layer', ABOVE)).code).toBe(0);
  await eventually(() => expect(limits()).toEqual([13, 13]));
  const history = await pawl('config', 'history', PINNED);
  expect(history.out).toMatch(/eve +pin .*acme\/prod at version 1 until .*: slow in eu/);
});

it('holds for its time, though the node is killed meanwhile, and ends by itself', async () => {
  expect((await pin('--to', '2', '--for', '1m')).code).toBe(0);
  await eventually(() => expect(limits()).toEqual([12, 13]));
  await stack.controlPlane.kill();
  await stack.controlPlane.start();
  await write(14);
  expect((await pawl('promote', ABOVE)).code).toBe(0);
  await eventually(() => expect(us.current.limit).toBe(14), 60_000);
  expect(eu.current.limit).toBe(12);
  const { pins = [] } = await stack.admin('ada').getRelease(PINNED);
  await eventually(() => expect(limits()).toEqual([14, 14]), EXPIRED_MS);
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(pins[0]?.until ?? ''));
  const [ended] = (await stack.admin('ada').history(PINNED, { limit: 1 })).items;
  expect(ended).toMatchObject({ action: 'unpin', author: 'pawl', reason: 'the pin has expired' });
});
