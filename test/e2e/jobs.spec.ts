import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '@pawl/contracts/node';
import { canonicalize } from '@pawl/contracts';
import { eventually } from '../support/eventually.js';
import { SUBJECTS, withNats } from '../support/stack-nats.js';
import { query } from '../support/stack-truth.js';
import { startStack, type TestStack } from '../support/stack.js';

let stack: TestStack;
beforeAll(async () => {
  stack = await startStack({ env: { PAWL_SWEEP_INTERVAL_MS: '1000' } });
});
afterAll(() => stack?.stop());

const sql = <Row extends Record<string, unknown>>(text: string, ...values: unknown[]) =>
  query<Row>(stack.database.url, text, values);

/** What the owner has removed, by its own count. */
async function swept(kind: string): Promise<number> {
  const { text } = await stack.send({ path: '/metrics' });
  return Number(
    new RegExp(`^pawl_swept_total\\{kind="${kind}"\\} ([0-9]+)$`, 'm').exec(text)?.[1] ?? 0,
  );
}

/** When the queue last saw a sweep of this kind through to its end, as it counts. */
async function completed(kind: string): Promise<number> {
  const [row] = await sql<{ at: string | null }>(
    "SELECT max(finished_at_ms) AS at FROM pawl_jobs.job WHERE name = $1 AND state = 'completed'",
    kind,
  );
  return Number(row?.at ?? 0);
}

describe('the sweeps', () => {
  it('remove expired idempotency keys, and no others', async () => {
    const put = (address: string) =>
      stack.send({
        method: 'PUT',
        path: `/v1/config/${address}`,
        headers: { 'idempotency-key': 'once' },
        body: '{"n":1}',
      });
    for (const address of ['old/a', 'old/b', 'young/c'])
      expect((await put(address)).status).toBe(201);
    const before = await swept('idempotency');
    await sql(
      "UPDATE idempotency_record SET created_at = now() - interval '24 hours 1 minute' WHERE root = 'old'",
    );
    await eventually(async () => expect(await swept('idempotency')).toBe(before + 2));
    expect(await sql('SELECT root FROM idempotency_record')).toEqual([{ root: 'young' }]);
    expect((await put('young/c')).headers.get('idempotency-replayed')).toBe('true');
    expect((await put('old/a')).status).toBe(428);
  });

  it('remove the rows of dead consumers, and of no others', async () => {
    await stack.admin().putConfig('fleet/app', { json: { n: 1 } });
    await stack.admin().release('fleet/app', { action: 'promote' });
    for (const consumerId of ['dead', 'gone', 'alive']) {
      const pawl = await stack.connectSdk({ consumerId });
      await pawl.open('fleet/app');
      if (consumerId !== 'alive') await pawl.close();
    }
    const rows = () =>
      sql<{ consumer_id: string }>(
        "SELECT consumer_id FROM consumer_status WHERE root = 'fleet' ORDER BY 1",
      );
    await eventually(async () => expect(await rows()).toHaveLength(3));
    // What the owner has yet to write down would bring the row back.
    await eventually(async () => {
      const { items } = await stack.admin().consumers('fleet/app', { state: 'stale' });
      expect(items).toHaveLength(2);
    });
    const before = await swept('consumers');
    await eventually(async () => {
      await sql(
        "UPDATE consumer_status SET last_seen_at = now() - interval '8 days' WHERE consumer_id = 'dead'",
      );
      expect(await swept('consumers')).toBeGreaterThan(before);
    });
    await eventually(async () => {
      expect(await rows()).toEqual([{ consumer_id: 'alive' }, { consumer_id: 'gone' }]);
    });
  });

  it('leave young contents alone, also when nothing names them any more', async () => {
    const documents = [1, 2].map((n) => ({ n, text: `${n}`.repeat(20_000) }));
    const hashes = documents.map((document) => sha256(canonicalize(document)));
    const admin = stack.admin();
    const stored = (hash: string) =>
      withNats(stack.nats.url, async (connection) => {
        const api = `$JS.API.DIRECT.GET.${SUBJECTS.contentStream}.${SUBJECTS.content('big', hash)}`;
        const { headers } = await connection.request(api, undefined, { timeout: 5_000 });
        return headers?.code !== 404;
      });
    await admin.putConfig('big/app', { json: documents[0] });
    await admin.release('big/app', { action: 'promote' });
    await admin.putConfig('big/app', { json: documents[1] }, { expect: 1 });
    await admin.release('big/app', { action: 'promote' });
    await eventually(async () => expect(await stored(hashes[1]!)).toBe(true));
    const now = await completed('contents');
    await eventually(async () => expect(await completed('contents')).toBeGreaterThan(now));
    expect(await stored(hashes[0]!)).toBe(true);
    expect(await stored(hashes[1]!)).toBe(true);
    expect(await swept('contents')).toBe(0);
  });

  it('are done by the one queue of the installation, at their interval', async () => {
    const before = await completed('idempotency');
    await eventually(async () => expect(await completed('idempotency')).toBeGreaterThan(before));
    expect((await stack.send({ path: '/readyz' })).status).toBe(200);
  });
});
