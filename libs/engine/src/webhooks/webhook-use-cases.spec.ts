import type { Outcome } from '@pawl/contracts';
import { beforeEach, expect, it, vi } from 'vitest';
import { OutcomeUnknownError, TruthUnavailableError } from '../sharding/truth-store.port.js';
import { ENDPOINT, LATER, REFUSED, TAKEN, WebhookWorld } from './webhook-world.fixture.js';
import { WebhookUseCases } from './webhook-use-cases.js';

const SITE = 'https://hooks.example.com';
const WELL = { name: ENDPOINT, site: SITE, state: 'delivering', failures: 0, setAside: 0 };

let world: WebhookWorld;
let looked: string[];
let webhooks: WebhookUseCases;
beforeEach(() => {
  world = new WebhookWorld();
  looked = [];
  const configured = ['hooks-9', ENDPOINT].map((name) => ({ name, site: SITE }));
  webhooks = new WebhookUseCases(configured, world.outbox, (name) => looked.push(name));
});

function valueOf<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new Error(outcome.problem.detail);
  return outcome.value;
}

const list = async (): Promise<unknown> => valueOf(await webhooks.list()).items;

it('lists them as the settings do, with those that nobody has begun with', async () => {
  await world.outbox.begin([ENDPOINT]);
  const unknown = { ...WELL, name: 'hooks-9', state: 'not-begun', waiting: 0 };
  expect(await list()).toEqual([unknown, { ...WELL, waiting: 0 }]);
});

it('tells what waits, since when, and why', async () => {
  await world.outbox.begin([ENDPOINT]);
  world.outbox.append(world.promote(1));
  world.time.advance(1_000);
  world.outbox.append(world.promote(2));
  world.answer = () => LATER;
  const node = world.node('a');
  await node.run(ENDPOINT);
  const [, failing] = (await list()) as object[];
  expect(failing).toMatchObject({
    ...WELL,
    ...{ state: 'failing', failures: 1, failingForMs: 0, waiting: 2, oldestWaitingMs: 1_000 },
    ...{ retryInMs: expect.any(Number) as number, lastError: 'it answers 500' },
  });
  world.answer = () => REFUSED;
  world.time.advance(3_600_000 - 2_000);
  await node.run(ENDPOINT);
  const [, aside] = (await list()) as object[];
  expect(aside).toMatchObject({
    ...{ state: 'failing', setAside: 1, waiting: 2 },
    setAsideRetryInMs: expect.any(Number) as number,
  });
});

it('tells of one that is gone, and takes it up again, with what was set aside', async () => {
  await world.outbox.begin([ENDPOINT]);
  world.outbox.append(world.promote(1));
  world.answer = () => ({ ok: false, kind: 'gone', reason: 'it answers 410' });
  await world.node('a').run(ENDPOINT);
  world.time.advance(60_000);
  const [, gone] = (await list()) as object[];
  expect(gone).toMatchObject({ state: 'gone', goneForMs: 60_000, lastError: 'it answers 410' });
  expect(valueOf(await webhooks.retry(ENDPOINT))).toMatchObject({
    state: 'delivering',
    waiting: 1,
  });
  expect(looked).toEqual([ENDPOINT]);
  world.answer = () => TAKEN;
  await world.node('b').run(ENDPOINT);
  expect(await list()).toContainEqual({ ...WELL, waiting: 0 });
});

it('begins with one that nobody has begun with', async () => {
  expect(valueOf(await webhooks.retry('hooks-9'))).toMatchObject({ state: 'delivering' });
});

it('refuses what the settings do not name, with what they name', async () => {
  const outcome = await webhooks.retry('hooks-2');
  expect(outcome).toMatchObject({ ok: false, problem: { code: 'not-found' } });
  expect(JSON.stringify(outcome)).toContain('hooks-9, hooks-1');
  expect(looked).toEqual([]);
});

it('says so when PostgreSQL is away, before or meanwhile', async () => {
  vi.spyOn(world.outbox, 'readStates').mockRejectedValue(new TruthUnavailableError('down'));
  expect(await webhooks.list()).toMatchObject({ problem: { code: 'truth-unavailable' } });
  vi.spyOn(world.outbox, 'begin').mockRejectedValue(new OutcomeUnknownError('broke'));
  expect(await webhooks.retry(ENDPOINT)).toMatchObject({ problem: { code: 'outcome-unknown' } });
});
