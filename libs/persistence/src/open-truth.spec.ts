import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from 'pg';
import { TruthUnavailableError } from '@pawl/engine';
import { InstallationMismatchError } from './errors.js';
import { openTruth } from './open-truth.js';
import type { OpenedTruth, OpenTruthOptions } from './open-truth.js';
import { changeset, definition, fenceOf, release, written } from './testing/changesets.js';
import { dumpTruth } from './testing/dump-truth.js';
import { START_HOOK_MS, startPostgres } from './testing/postgres-server.js';
import type { PostgresServer } from './testing/postgres-server.js';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

function open(url: string, options: Partial<OpenTruthOptions> = {}): Promise<OpenedTruth> {
  return openTruth({ url, installation: 'main', shards: 64, nodeId: 'node-1', ...options });
}

async function administrate(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

/** The notes on which server this is. */
function notesOnServer({ notes }: OpenedTruth): readonly string[] {
  return notes.filter((note) => note.includes('system identifier'));
}

describe('opening', () => {
  it('makes the installation once and finds it again', async () => {
    const url = await server.createDatabase();
    const first = await open(url);
    const installation = await first.truth.installation();
    expect(installation).toMatchObject({ name: 'main', generation: 1, shards: 64 });
    expect(installation.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await first.truth.healthy()).toBe(true);
    await first.close();
    await first.close();
    const second = await open(url);
    expect(await second.truth.installation()).toEqual(installation);
    await second.close();
  });

  it('by several processes at once makes one installation and one set of tables', async () => {
    const url = await server.createDatabase();
    const nodes = await Promise.all([1, 2, 3, 4].map((each) => open(url, { nodeId: `n${each}` })));
    const ids = await Promise.all(nodes.map(async ({ truth }) => (await truth.installation()).id));
    expect(new Set(ids).size).toBe(1);
    const migrations: unknown[] = await nodes[0]!.dataSource.query('SELECT FROM pawl_migration');
    expect(migrations).toHaveLength(nodes[0]!.dataSource.migrations.length);
    await Promise.all(nodes.map((node) => node.close()));
  });

  it('says when another server raised the fences before, until they are raised here', async () => {
    const url = await server.createDatabase();
    const first = await open(url);
    expect(notesOnServer(first)).toEqual([]);
    for (const shard of [1, 2]) await first.truth.raiseFence(fenceOf(shard, 10), 'node-1');
    const here = await first.truth.readFences([1]);
    expect(here.server).toMatch(/^\d+\/00000001$/);
    const [identifier] = here.server.split('/');
    await first.close();
    await administrate(url, 'UPDATE shard_fence SET system_identifier = 77');

    const moved = await open(url);
    expect(notesOnServer(moved)).toHaveLength(1);
    expect(notesOnServer(moved)[0]).toContain(`(system identifier 77, now ${identifier})`);
    expect(await moved.truth.readFences([1, 2])).toMatchObject({
      server: here.server,
      tokens: new Map([
        [1, 10n],
        [2, 10n],
      ]),
    });
    for (const shard of [1, 2]) await moved.truth.raiseFence(fenceOf(shard, 11), 'node-1');
    await moved.close();

    const settled = await open(url);
    expect(notesOnServer(settled)).toEqual([]);
    await settled.close();
  });

  it('leaves tables that are what the entities say', async () => {
    const opened = await open(await server.createDatabase());
    const { upQueries } = await opened.dataSource.driver.createSchemaBuilder().log();
    expect(upQueries.map(({ query }) => query)).toEqual([]);
    await opened.close();
  });

  it('can be taken back and done again', async () => {
    const url = await server.createDatabase();
    const opened = await open(url);
    for (const _each of opened.dataSource.migrations) await opened.dataSource.undoLastMigration();
    const tables = await opened.dataSource.query<{ name: string }[]>(
      "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'",
    );
    expect(tables).toEqual([{ name: 'pawl_migration' }]);
    await opened.close();
    const again = await open(url);
    expect(await again.truth.healthy()).toBe(true);
    await again.close();
  });

  it('refuses another installation and another number of shards', async () => {
    const url = await server.createDatabase();
    await (await open(url)).close();
    const refused = open(url, { installation: 'other' });
    await expect(refused).rejects.toThrow(InstallationMismatchError);
    await expect(refused).rejects.toThrow(/belongs to installation "main", not to "other"/);
    await expect(open(url, { shards: 128 })).rejects.toThrow(/64 shards, not with 128/);
    await (await open(url)).close();
  });

  it('says that PostgreSQL does not answer', async () => {
    const dead = 'postgresql://postgres@127.0.0.1:1/none';
    await expect(open(dead)).rejects.toThrow(TruthUnavailableError);
    const missing = (await server.createDatabase()).replace(/[^/]+$/, 'missing');
    await expect(open(missing)).rejects.toThrow(/missing/);
  });

  it('needs no rights but on its own database, whatever its collation', async () => {
    const base = await server.createDatabase();
    await administrate(
      base,
      'CREATE ROLE plain LOGIN',
      `CREATE DATABASE plain OWNER plain TEMPLATE template0 LOCALE_PROVIDER icu
        ICU_LOCALE 'en-US' LOCALE 'C'`,
    );
    const url = base.replace('postgres@', 'plain@').replace(/[^/]+$/, 'plain');
    const opened = await open(url, { takeoverGraceMs: 30 });
    const fence = fenceOf(0, 1);
    expect(await opened.truth.raiseFence(fence, 'node-1')).toBe('raised');
    const addresses = ['acme-b', 'acme_a', 'acme/b', 'acme/a-b', 'acme/ab'];
    for (const address of addresses) {
      const root = address.split('/')[0]!;
      await opened.truth.commit(
        fence,
        changeset({ root, definitions: [definition(address, 1)], history: [written(address, 1)] }),
      );
    }
    const images = await opened.truth.loadShard(fence);
    expect(images.map((image) => image.address)).toEqual(addresses.toSorted());
    expect((await opened.truth.readFences([0])).tokens.get(0)).toBe(fence.token);
    const blocker = new Client({ connectionString: url });
    blocker.on('error', () => undefined);
    await blocker.connect();
    const { id } = await opened.truth.installation();
    const lock = Number.parseInt(id.slice(0, 8), 16) >>> 1;
    await blocker.query('SELECT pg_advisory_lock_shared($1, 0)', [lock]);
    expect(await opened.truth.raiseFence(fenceOf(0, 2), 'node-1')).toBe('raised');
    await expect(blocker.query('SELECT 1')).rejects.toThrow();
    await opened.close();
  });
});

describe('the fence', () => {
  it('only rises', async () => {
    const { truth, dataSource, close } = await open(await server.createDatabase());
    const high = 3n * 2n ** 48n + 17n;
    const steps: [bigint, string, string][] = [
      [5n, 'a', 'raised'],
      [5n, 'a', 'raised'],
      [5n, 'b', 'superseded'],
      [4n, 'a', 'superseded'],
      [high, 'b', 'raised'],
      [high - 1n, 'a', 'superseded'],
      [high, 'b', 'raised'],
    ];
    for (const [token, owner, expected] of steps) {
      expect(await truth.raiseFence(fenceOf(9, token), owner)).toBe(expected);
    }
    const rows: unknown = await dataSource.query('SELECT shard, token, owner FROM shard_fence');
    expect(rows).toEqual([{ shard: 9, token: high.toString(), owner: 'b' }]);
    await close();
  });

  it('keeps the highest of many that are raised at once', async () => {
    const { truth, close } = await open(await server.createDatabase());
    const tokens = Array.from({ length: 40 }, (_, index) => ((index * 17) % 40) + 1);
    await Promise.all(tokens.map((token) => truth.raiseFence(fenceOf(1, token), `n${token}`)));
    expect(await truth.loadShard(fenceOf(1, 40))).toEqual([]);
    await close();
  });

  it('is raised for every shard at once', async () => {
    const { truth, close } = await open(await server.createDatabase(), { poolSize: 4 });
    const shards = Array.from({ length: 64 }, (_, shard) => fenceOf(shard, shard + 1));
    const raised = await Promise.all(shards.map((fence) => truth.raiseFence(fence, 'node-1')));
    expect(new Set(raised)).toEqual(new Set(['raised']));
    await Promise.all(shards.map((fence) => truth.loadShard(fence)));
    await close();
  });

  it('of another installation never fits, though the token is the same', async () => {
    const [mine, foreign] = [await server.createDatabase(), await server.createDatabase()];
    const opened = await open(mine);
    const stranger = await open(foreign);
    const fence = fenceOf(2, 8);
    await opened.truth.raiseFence(fence, 'node-1');
    await stranger.truth.raiseFence(fence, 'node-1');
    const before = await dumpTruth(foreign);
    await opened.dataSource.query('UPDATE installation SET id = $1', [
      (await stranger.truth.installation()).id,
    ]);
    await opened.dataSource.query('UPDATE shard_fence SET installation = $1', [
      (await stranger.truth.installation()).id,
    ]);
    const parts = changeset({ definitions: [definition('acme', 1)] });
    expect(await opened.truth.commit(fence, parts)).toMatchObject({ kind: 'fenced' });
    await expect(opened.truth.loadShard(fence)).rejects.toThrow(/fenced/);
    const claim = opened.truth.raiseFence(fenceOf(2, 9), 'node-1');
    await expect(claim).rejects.toThrow(/another installation/);
    await expect(opened.truth.installation()).rejects.toThrow(TruthUnavailableError);
    expect(await opened.truth.healthy()).toBe(false);
    expect(await dumpTruth(foreign)).toEqual(before);
    await opened.close();
    await stranger.close();
  });

  it('of another installation never has its restore accepted', async () => {
    const url = await server.createDatabase();
    const opened = await open(url);
    const fence = fenceOf(2, 8);
    await opened.truth.raiseFence(fence, 'node-1', { generation: 1, token: 5n, commits: 3n });
    await opened.dataSource.query('UPDATE installation SET id = gen_random_uuid()');
    const before = await dumpTruth(url);
    const seen = { generation: 1, shards: [2] };
    const acceptance = { author: 'ada', reason: 'lost', at: '2026-01-01T00:00:00.000Z', seen };
    await expect(opened.truth.acceptRestore(acceptance)).rejects.toThrow(TruthUnavailableError);
    await expect(opened.truth.acceptRestore(acceptance)).rejects.toThrow(/another installation/);
    expect(await dumpTruth(url)).toEqual(before);
    const rows: unknown = await opened.dataSource.query(
      'SELECT shard FROM shard_fence WHERE behind IS NOT NULL',
    );
    expect(rows).toEqual([{ shard: 2 }]);
    await opened.close();
  });

  it('admits READ COMMITTED transactions only', async () => {
    const opened = await open(await server.createDatabase());
    const fence = fenceOf(4, 6);
    await opened.truth.raiseFence(fence, 'node-1');
    const { id } = await opened.truth.installation();
    for (const isolation of ['REPEATABLE READ', 'SERIALIZABLE'] as const) {
      const call = opened.dataSource.transaction(isolation, (manager) =>
        manager.query('SELECT pawl_enter(1, $1, 4, 6)', [id]),
      );
      await expect(call).rejects.toMatchObject({ code: 'PW003' });
    }
    await opened.dataSource.query('SELECT pawl_enter(1, $1, 4, 6)', [id]);
    await opened.close();
  });
});

describe('a release', () => {
  it('whose stable version is no definition stops the load', async () => {
    const { truth, close } = await open(await server.createDatabase());
    const fence = fenceOf(4, 6);
    await truth.raiseFence(fence, 'node-1');
    await truth.commit(
      fence,
      changeset({
        definitions: [definition('acme', 1)],
        releases: [release('acme', 1, { stableVersion: 3 })],
      }),
    );
    await expect(truth.loadShard(fence)).rejects.toThrow(/invariant/);
    await close();
  });
});
