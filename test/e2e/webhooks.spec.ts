import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HistoryItem } from '@pawl/contracts';
import { eventually } from '../support/eventually.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { query } from '../support/stack-truth.js';
import { startStack, type TestStack } from '../support/stack.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';

const SECRET = `whsec_${Buffer.alloc(32, 11).toString('base64')}`;
const STRATEGY = {
  preflight: false,
  stages: [
    { count: 1, bakeMs: 3_600_000 },
    { percent: 50, bakeMs: 3_600_000 },
    { percent: 100, bakeMs: 3_600_000 },
  ],
};

let redis: TestRedis;
let receiver: WebhookReceiver;
let stack: TestStack;
beforeAll(async () => {
  redis = await startRedis();
  receiver = await startWebhookReceiver(SECRET);
});
afterAll(async () => {
  await receiver?.close();
  await redis?.stop();
});

/** The transitions of an address as its history has them, oldest first. */
async function transitions(address: string): Promise<HistoryItem[]> {
  const { items } = await stack.admin().history(address);
  return items.filter(({ kind }) => kind === 'release').toReversed();
}

/** What the receiver was told of an address, each event once. */
function told(address: string): unknown[] {
  const ids = new Set<string>();
  return receiver.taken
    .filter(({ id, subject }) => subject === address && !ids.has(id) && ids.add(id))
    .map(({ data }) => data);
}

async function toldAll(address: string): Promise<void> {
  await eventually(async () => expect(told(address)).toEqual(await transitions(address)));
  const types = receiver.taken.filter(({ subject }) => subject === address);
  for (const { type, data } of types) expect(type).toBe(`pawl.release.${data.action}`);
}

const act = (address: string, action: string, more: object = {}): Promise<unknown> =>
  stack.admin('ada').release(address, { action, ...more });

/** Two versions, the second of them released in stages. */
async function begin(address: string): Promise<void> {
  await stack.promote(address, { n: 1 });
  await stack.admin('ada').putConfig(address, { json: { n: 2 } }, { expect: 1 });
  await act(address, 'promote', { strategy: STRATEGY, reason: 'why' });
}

describe('webhooks', () => {
  beforeAll(async () => {
    const env = { PAWL_WEBHOOK_URLS: receiver.url, PAWL_WEBHOOK_SECRET: SECRET };
    stack = await startStack({ env });
  });
  afterAll(() => stack?.stop());

  it('tell every transition of a release, signed, though the receiver fails at first', async () => {
    receiver.refuse(2);
    await begin('acme/app');
    for (const action of ['pause', 'resume', 'advance', 'skip', 'abort', 'disable', 'enable']) {
      await act('acme/app', action);
    }
    await act('acme/app', 'rollback', { targetVersion: 1 });
    await toldAll('acme/app');
    const lines = told('acme/app') as HistoryItem[];
    const about = lines.filter(({ releaseId }) => releaseId !== undefined);
    expect(about.map(({ action }) => action)).toEqual([
      ...['promote', 'pause', 'resume', 'advance', 'skip', 'abort'],
    ]);
    expect(about.at(-1)?.ended).toMatchObject({ outcome: 'aborted', candidate: 2 });
    expect(receiver.refused).toHaveLength(2);
    expect(new Set(receiver.refused).size).toBe(1);
    expect(receiver.taken[0]?.id).toBe(receiver.refused[0]);
    expect(receiver.problems).toEqual([]);
    const { text } = await stack.send({ path: '/metrics' });
    expect(text).toMatch(
      /^pawl_webhook_sendings_total\{endpoint="127\.0\.0\.1-[0-9a-f]{8}",outcome="delivered"\} \d+$/m,
    );
    expect(text).toMatch(
      /^pawl_webhook_sendings_total\{endpoint="127\.0\.0\.1-[0-9a-f]{8}",outcome="failed"\} 2$/m,
    );
  });

  it('are sent all the same when the node is killed as soon as it has answered, again and again', async () => {
    await begin('acme/killed');
    for (const action of ['pause', 'resume']) {
      await act('acme/killed', action);
      await stack.controlPlane.kill();
      await stack.controlPlane.start();
    }
    await toldAll('acme/killed');
    expect(told('acme/killed')).toHaveLength(4);
    expect(receiver.problems).toEqual([]);
  });

  it('give up what is older than a day after an outage of the receiver, and tell the rest', async () => {
    const refused = receiver.refused.length;
    receiver.refuse(Infinity);
    await begin('acme/old');
    await eventually(() => expect(receiver.refused.length).toBeGreaterThan(refused));
    await query(
      stack.database.url,
      `UPDATE history_entry SET written_at = written_at - interval '25 hours'
       WHERE address = 'acme/old'`,
      [],
    );
    await stack.promote('acme/young', { n: 1 });
    receiver.refuse(0);
    await toldAll('acme/young');
    expect(told('acme/old')).toEqual([]);
    const { text } = await stack.send({ path: '/metrics' });
    expect(text).toMatch(/^pawl_webhooks_given_up_total\{endpoint="[^"]+"\} 2$/m);
  });

  it('hold up an address of which one is refused, and no other, until it is taken', async () => {
    receiver.answers(({ subject, data }) => {
      return { status: subject === 'acme/held' && data.releaseVersion === 1 ? 422 : 204 };
    });
    await stack.promote('acme/held', { n: 1 });
    await stack.promote('acme/free', { n: 1 });
    await toldAll('acme/free');
    await act('acme/held', 'disable');
    await stack.promote('acme/freer', { n: 1 });
    await toldAll('acme/freer');
    expect(told('acme/held')).toEqual([]);
    receiver.answers(() => ({ status: 204 }));
    await toldAll('acme/held');
    expect(told('acme/held')).toHaveLength(2);
  });

  it('leave alone whoever asks for it, for as long as that', async () => {
    const refused = receiver.refused.length;
    receiver.answers(() => ({ status: 429, headers: { 'retry-after': '3600' } }));
    await stack.promote('acme/asked', { n: 1 });
    const place = async (): Promise<unknown> => {
      const [row] = await query<{ waits: boolean; reason: string }>(
        stack.database.url,
        `SELECT reason, not_before > clock_timestamp() + interval '50 minutes' AS waits
         FROM webhook_cursor`,
        [],
      );
      return row;
    };
    await eventually(async () =>
      expect(await place()).toEqual({ waits: true, reason: 'it answers 429' }),
    );
    receiver.answers(() => ({ status: 204 }));
    await stack.promote('acme/asked', { n: 2 });
    await query(stack.database.url, 'UPDATE webhook_cursor SET not_before = NULL', []);
    await toldAll('acme/asked');
    expect(receiver.refused).toHaveLength(refused + 1);
  });

  it('tell how they do, and come again at once where somebody asks for it', async () => {
    const told = async (): Promise<unknown> => (await stack.admin().webhooks()).items;
    const { origin } = new URL(receiver.url);
    const well = { site: origin, state: 'delivering', failures: 0, setAside: 0, waiting: 0 };
    await eventually(async () => expect(await told()).toMatchObject([well]));
    receiver.answers(() => ({ status: 429, headers: { 'retry-after': '3600' } }));
    await stack.promote('acme/told', { n: 1 });
    const failing = { state: 'failing', failures: 1, waiting: 1, lastError: 'it answers 429' };
    await eventually(async () => expect(await told()).toMatchObject([failing]));
    receiver.answers(() => ({ status: 204 }));
    const [{ name } = { name: '' }] = (await stack.admin().webhooks()).items;
    await stack.admin().retryWebhook(name);
    await toldAll('acme/told');
    receiver.answers(() => ({ status: 410 }));
    await stack.promote('acme/told', { n: 2 });
    await eventually(async () =>
      expect(await told()).toMatchObject([{ state: 'gone', waiting: 1 }]),
    );
    receiver.answers(() => ({ status: 204 }));
    await stack.admin().retryWebhook(name);
    await toldAll('acme/told');
    await eventually(async () => expect(await told()).toMatchObject([well]));
  });

  it('go no more to whoever is gone, until a node is started', async () => {
    const refused = receiver.refused.length;
    receiver.answers(() => ({ status: 410 }));
    await stack.promote('acme/gone', { n: 1 });
    await eventually(() => expect(receiver.refused).toHaveLength(refused + 1));
    await eventually(async () => {
      const { text } = await stack.send({ path: '/metrics' });
      expect(text).toMatch(/^pawl_webhook_gone\{endpoint="[^"]+"\} 1$/m);
    });
    receiver.answers(() => ({ status: 204 }));
    await act('acme/gone', 'disable');
    await stack.controlPlane.kill();
    await stack.controlPlane.start();
    await toldAll('acme/gone');
    expect(receiver.refused).toHaveLength(refused + 1);
    expect(receiver.problems).toEqual([]);
  });
});

describe('with Redis', () => {
  beforeAll(async () => {
    const env = {
      PAWL_WEBHOOK_URLS: receiver.url,
      PAWL_WEBHOOK_SECRET: SECRET,
      PAWL_REDIS_URL: redis.url,
      PAWL_SWEEP_INTERVAL_MS: '1000',
    };
    stack = await startStack({ env });
  });
  afterAll(() => stack?.stop());

  it('timed work leaves PostgreSQL to the truth, and nobody waits for Redis', async () => {
    await begin('acme/redis');
    await toldAll('acme/redis');
    const schemas = await query(
      stack.database.url,
      "SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'pawl_jobs'",
      [],
    );
    expect(schemas).toEqual([]);
    await redis.stop();
    await act('acme/redis', 'advance');
    expect((await stack.send({ path: '/readyz' })).status).toBe(200);
    redis = await startRedis();
    expect(receiver.problems).toEqual([]);
  });
});
