import type { WebhookView } from '@pawl/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CliWorld, json, refuse } from '../testing/cli-world.js';

let world: CliWorld;
beforeEach(async () => {
  world = await CliWorld.start();
});
afterEach(() => world.stop());

const WELL: WebhookView = {
  ...{ name: 'hooks-1', site: 'https://hooks', state: 'delivering' },
  ...{ failures: 0, setAside: 0, waiting: 0 },
};
const GONE: WebhookView = {
  ...{ ...WELL, name: 'gone-1', state: 'gone', goneForMs: 7_200_000, lastError: 'it answers 410' },
  ...{ waiting: 10_000, oldestWaitingMs: 90_000 },
};
const FAILING: WebhookView = {
  ...{ ...WELL, name: 'bad-1', state: 'failing', failures: 7, failingForMs: 61_000, waiting: 3 },
  ...{ retryInMs: 20_000, setAside: 1, setAsideRetryInMs: 0, oldestWaitingMs: 61_000 },
  lastError: 'it answers 503',
};

const asked = async (...items: WebhookView[]): Promise<string[]> => {
  world.answers.set('GET /v1/webhooks', json({ items }));
  const { code, out } = await world.pawl('webhooks');
  expect(code).toBe(0);
  return out.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '));
};

it('tells of each how it does, what waits and since when, and why', async () => {
  const aside = { ...WELL, name: 'hooks-2', setAside: 2, setAsideRetryInMs: 5_000, waiting: 4 };
  const fresh: WebhookView = { ...WELL, name: 'new-1', state: 'not-begun' };
  const lines = await asked(WELL, aside, FAILING, GONE, fresh);
  expect(lines).toEqual([
    'WEBHOOK | STATE | WAITING | OLDEST | LAST ERROR',
    'hooks-1 | delivering | 0',
    'hooks-2 | delivering, 2 addresses set aside, again in 5s | 4',
    'bad-1 | failing for 1m 1s, 7 in a row, again in 20s, 1 address set aside, again now | 3 | 1m 1s ago | it answers 503',
    'gone-1 | gone (410) for 2h | 10000 or more | 1m 30s ago | it answers 410',
    'new-1 | not begun with: PostgreSQL was away | 0',
    expect.stringMatching(/^try one now: .*pawl webhooks retry WEBHOOK$/),
    '',
  ]);
  const { out } = await world.pawl('-o', 'json', 'webhooks');
  expect(JSON.parse(out)).toEqual({ items: [WELL, aside, FAILING, GONE, fresh] });
});

it('says where there are none, and offers nothing where all is well', async () => {
  expect(await asked()).toEqual(['no webhooks: PAWL_WEBHOOK_URLS of that node names none', '']);
  expect(await asked(WELL)).toHaveLength(3);
});

it('tries one now', async () => {
  world.answers.set('POST /v1/webhooks/retry', json({ ...WELL, waiting: 2 }));
  const { code, out } = await world.pawl('webhooks', 'retry', 'hooks-1');
  expect(code).toBe(0);
  expect(out).toMatch(/^hooks-1 is tried now: 2 to be sent; see .*pawl webhooks\n$/);
  expect(world.requests.map(({ body }) => body)).toEqual(['{"webhook":"hooks-1"}']);
  world.answers.set('POST /v1/webhooks/retry', refuse('not-found', 'it has: hooks-1'));
  const none = await world.pawl('webhooks', 'retry', 'hooks-9');
  expect([none.code, none.err]).toEqual([1, expect.stringContaining('it has: hooks-1')]);
});

it.each([
  ['webhooks', 'retry'],
  ['webhooks', 'hooks-1'],
  ['webhooks', 'retry', 'a', 'b'],
])('asks nothing for %j %j', async (...args) => {
  expect((await world.pawl(...args)).code).toBe(2);
  expect(world.requests).toEqual([]);
});
