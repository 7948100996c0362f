import type { HistoryEntry, StoredHistoryEntry, WebhookPage } from '@pawl/engine';
import { webhookOutboxCases } from '@pawl/engine/testing';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import { poolOf } from '../data-source.js';
import { TruthSessions } from '../sessions/truth-sessions.js';
import { changeset, definition, fenceOf } from '../testing/changesets.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';
import { PostgresWebhookOutbox } from './postgres-webhook-outbox.js';

let server: PostgresServer;
let url: string;
let opened: OpenedTruth;
let clients: Client[];

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

beforeEach(async () => {
  url = await server.createInstallation(64);
  opened = await openTruth({ url, installation: 'main', shards: 64, nodeId: 'node-1' });
  clients = [];
  return async () => {
    for (const client of clients) await client.end();
    await opened.close();
  };
}, START_HOOK_MS);

/** A session of its own, for a transaction that is held open. */
async function session(): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  clients.push(client);
  return client;
}

const APPEND = `
  INSERT INTO history_entry (address, at, author, kind, version, release_version, action, forced)
  VALUES ($1, $2, $3, $4, $5, $6, $7, false) RETURNING sequence`;

async function append(client: Client, entry: HistoryEntry): Promise<StoredHistoryEntry> {
  const { address, at, author, kind, version, releaseVersion, action } = entry;
  const values = [address, at, author, kind, version, releaseVersion, action];
  const { rows } = await client.query<{ sequence: string }>(APPEND, values);
  return { ...entry, sequence: rows[0]?.sequence ?? '' };
}

const ADDRESS = 'acme/app' as HistoryEntry['address'];

function promote(releaseVersion: number, address: string = ADDRESS): HistoryEntry {
  const at = '2026-01-02T03:04:05.678Z';
  const line = { at, author: 'ann', kind: 'release', action: 'promote', releaseVersion } as const;
  return { ...line, address: address as HistoryEntry['address'] };
}

/** One that waits so long for transactions under way. */
function outbox(settleMs: number): PostgresWebhookOutbox {
  return new PostgresWebhookOutbox(new TruthSessions(poolOf(opened.dataSource), 'test'), settleMs);
}

/** A page without the ages of its lines. */
const shown = (page: WebhookPage | undefined): unknown =>
  page && { ...page, entries: page.entries.map(({ entry }) => entry) };

describe('PostgreSQL as a WebhookOutbox', () => {
  for (const { name, run } of webhookOutboxCases) {
    it(name, async () => {
      const client = await session();
      await run({
        outbox: opened.webhookOutbox,
        append: (entry) => append(client, entry),
        pass: async (ms) => {
          await client.query(
            `UPDATE webhook_cursor SET held_until = held_until - $1 * interval '1 millisecond',
              not_before = not_before - $1 * interval '1 millisecond'`,
            [ms],
          );
          await client.query(
            `UPDATE webhook_set_aside SET not_before = not_before - $1 * interval '1 millisecond'`,
            [ms],
          );
          await client.query(
            `UPDATE history_entry SET written_at = written_at - $1 * interval '1 millisecond'`,
            [ms],
          );
        },
      });
    });
  }
});

describe('what is committed in another order than it was numbered', () => {
  it('is read only when nothing can appear before it any more', async () => {
    const [slow, quick] = [await session(), await session()];
    await slow.query('BEGIN');
    const first = await append(slow, promote(1, 'slow/app'));
    const second = await append(quick, promote(1, 'quick/app'));
    expect(BigInt(second.sequence)).toBeGreaterThan(BigInt(first.sequence));
    const impatient = outbox(0);
    expect(await impatient.read('0', 10)).toBeUndefined();
    await slow.query('COMMIT');
    const page = await impatient.read('0', 10);
    expect(shown(page)).toEqual({ entries: [first, second], upTo: second.sequence });
  });

  it('is read without what was taken back', async () => {
    const [slow, quick] = [await session(), await session()];
    await slow.query('BEGIN');
    await append(slow, promote(1, 'slow/app'));
    const second = await append(quick, promote(1, 'quick/app'));
    const impatient = outbox(0);
    expect(await impatient.read('0', 10)).toBeUndefined();
    await slow.query('ROLLBACK');
    const page = await impatient.read('0', 10);
    expect(shown(page)).toEqual({ entries: [second], upTo: second.sequence });
  });

  it('is held up only by those who wrote before, and by nobody elsewhere', async () => {
    const [slow, other, quick] = [await session(), await session(), await session()];
    await other.query('CREATE TABLE elsewhere (n integer)');
    await other.query(
      'BEGIN; INSERT INTO elsewhere VALUES (1); SELECT count(*) FROM history_entry',
    );
    await slow.query('BEGIN');
    const first = await append(slow, promote(1));
    const second = await append(quick, promote(2));
    const reading = outbox(60_000).read('0', 10);
    await slow.query('COMMIT');
    expect(shown(await reading)).toEqual({ entries: [first, second], upTo: second.sequence });
    expect(await outbox(0).read('0', 10)).toBeDefined();
    await other.query('ROLLBACK');
  });

  it('is read in the order in which an address was changed, by commits as nodes make them', async () => {
    const fence = fenceOf(3, 7);
    await opened.truth.raiseFence(fence, 'node-1');
    await opened.truth.commit(fence, changeset({ definitions: [definition('acme/app', 1)] }));
    const commits = Array.from({ length: 20 }, (_, n) =>
      opened.truth.commit(fence, changeset({ history: [promote(n + 1)] })),
    );
    const seen: string[] = [];
    let after = '0';
    const look = async (): Promise<void> => {
      const page = await opened.webhookOutbox.read(after, 5);
      if (page === undefined) return;
      seen.push(...page.entries.map(({ entry }) => entry.sequence));
      after = page.upTo;
    };
    let committing = true;
    const all = Promise.all(commits).finally(() => (committing = false));
    while (committing) await look();
    await all;
    for (let looks = 0; looks < 5; looks += 1) await look();
    const client = await session();
    const { rows } = await client.query<{ sequence: string }>(
      "SELECT sequence FROM history_entry WHERE kind = 'release' ORDER BY sequence",
    );
    expect(seen).toEqual(rows.map(({ sequence }) => sequence));
    expect(seen).toHaveLength(20);
  });
});

it('goes back to where a history ends that was put back', async () => {
  const client = await session();
  await append(client, promote(1));
  expect(await opened.webhookOutbox.read('1000', 10)).toEqual({ entries: [], upTo: '1' });
});

it('says of a line from before PostgreSQL noted it how old it is by its own time', async () => {
  const client = await session();
  const { sequence } = await append(client, promote(1));
  await client.query(
    "UPDATE history_entry SET at = clock_timestamp() - interval '2 hours', written_at = NULL",
  );
  const age = (await opened.webhookOutbox.readNext(ADDRESS, '0', sequence))?.ageMs ?? NaN;
  expect(age).toBeGreaterThanOrEqual(7_200_000);
  expect(age).toBeLessThan(7_260_000);
});
