import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Client } from 'pg';
import type { Pawl, Scope } from '@pawl/sdk';
import { ProblemError } from '@pawl/admin-client';
import { eventually } from '../support/eventually.js';
import { NodeCluster } from '../support/node-cluster.js';
import { runPawl } from '../support/run-pawl.js';

/** One address of a shard of each node. */
let addresses: readonly string[];
let cluster: NodeCluster;
let pawl: Pawl;
let scopes: readonly Scope<{ n: number }>[];

beforeAll(async () => {
  cluster = await NodeCluster.start();
  const shards = await cluster.settled();
  addresses = cluster.ids.flatMap((id) =>
    cluster.rootsOf(id, shards, 1).map((root) => `${root}/app`),
  );
  pawl = await cluster.connectSdk({ workload: 'app' });
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(cluster.logs());
});
afterAll(() => cluster?.stop());

const admin = () => cluster.admin('node-1', 'ada');

async function release(at: string, n: number): Promise<void> {
  const newest = await admin()
    .getConfig(at)
    .catch(() => undefined);
  const expected = newest?.version ?? 'none';
  await admin().putConfig(at, { json: { n } }, { expect: expected });
  await admin().release(at, { action: 'promote' });
}

const read = () => scopes.map((scope) => scope.current?.n);
const all = (n: number) => addresses.map(() => n);

/** Runs statements beside the installation's database. */
async function administrate(...statements: readonly string[]): Promise<void> {
  const url = new URL(cluster.database.url);
  url.pathname = '/postgres';
  const client = new Client({ connectionString: url.href });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Nobody may be connected to what is copied or renamed, so it takes no connections meanwhile. */
async function aside(name: string, work: readonly string[]): Promise<void> {
  await administrate(
    `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`,
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '${name}'`,
    ...work,
  );
}

/** As a restore from the copy: what came after it is gone. */
async function restore(): Promise<void> {
  const { name } = cluster.database;
  await aside(name, [
    `ALTER DATABASE ${name} RENAME TO ${name}_newer`,
    `ALTER DATABASE ${name}_copy RENAME TO ${name}`,
    `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`,
    `DROP DATABASE ${name}_newer WITH (FORCE)`,
  ]);
}

async function refusal(at: string): Promise<ProblemError['problem'] | undefined> {
  const attempt = admin().putConfig(at, { json: { n: 99 } }, { expect: 'any' });
  return attempt.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof ProblemError) return error.problem;
      throw error;
    },
  );
}

it('copies the database while everything runs', { timeout: 120_000 }, async () => {
  for (const at of addresses) await release(at, 1);
  scopes = await Promise.all(addresses.map((at) => pawl.open<{ n: number }>(at)));
  const { name } = cluster.database;
  await aside(name, [
    `CREATE DATABASE ${name}_copy TEMPLATE ${name}`,
    `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`,
  ]);
  for (const at of addresses) await eventually(() => release(at, 2), 60_000);
  for (const at of addresses) await release(at, 3);
  await eventually(() => expect(read()).toEqual(all(3)));
});

it(
  'refuses writes once an older copy is there, and serves the rest',
  { timeout: 120_000 },
  async () => {
    await restore();
    for (const at of addresses) {
      await eventually(async () => expect((await refusal(at))?.code).toBe('truth-behind'), 60_000);
      await expect(admin().release(at, { action: 'promote' })).rejects.toMatchObject({
        problem: { code: 'truth-behind', status: 409 },
      });
      expect((await admin().getConfig(at)).document).toEqual({ n: 1 });
      await eventually(async () => expect((await admin().rollout(at)).consumers.live).toBe(1));
    }
    expect(read()).toEqual(all(3));
    const { shards } = await admin().restoreStatus();
    expect(shards.length).toBeGreaterThanOrEqual(3);
    const readOnly = await eventually(async () => {
      const view = await cluster.view('node-2');
      const found = view.shards.filter(({ behind }) => behind !== undefined);
      expect(found.length).toBeGreaterThanOrEqual(3);
      return found;
    });
    expect(readOnly.every(({ serving }) => serving)).toBe(true);
    const owner = cluster.node(readOnly[0]?.owner ?? '');
    await eventually(async () => {
      const ready = await fetch(`${owner.url}/readyz`);
      const told = [ready.status, await ready.text()];
      expect(told).toEqual([200, expect.stringContaining('read-only')]);
    });
  },
);

it('stays so over a restart of every node', { timeout: 120_000 }, async () => {
  for (const id of cluster.ids) await cluster.node(id).kill();
  const { ids } = cluster;
  await Promise.all(ids.map((id) => cluster.node(id).start()));
  for (const at of addresses) {
    await eventually(async () => expect((await refusal(at))?.code).toBe('truth-behind'), 60_000);
  }
  expect(read()).toEqual(all(3));
});

it('takes PostgreSQL as it is once that is accepted', { timeout: 120_000 }, async () => {
  const env = { PAWL_URL: cluster.node('node-2').url, USER: 'ada' };
  const args = ['restore', 'accept', '--reason', 'the disk was lost'];
  const shown = await runPawl(args, env);
  expect([shown.code, shown.err]).toEqual([1, expect.stringContaining(addresses[0] ?? '')]);
  const accepted = await runPawl([...args, '--yes'], env);
  expect([accepted.code, accepted.out]).toEqual([0, expect.stringContaining('generation 2')]);
  await eventually(() => expect(read()).toEqual(all(1)), 60_000);
  for (const at of addresses) {
    await eventually(async () => {
      const rollout = await admin().rollout(at);
      expect(rollout).toMatchObject({ converged: true, published: { generation: 2 } });
    }, 60_000);
    await eventually(() => release(at, 4), 60_000);
  }
  await eventually(() => expect(read()).toEqual(all(4)));
  const again = await runPawl([...args, '--yes'], env);
  expect([again.code, again.out]).toEqual([0, expect.stringContaining('nothing was changed')]);
  expect((await admin().restoreStatus()).generation).toBe(2);
  const { items } = await admin().audit();
  const noted = items.filter(({ kind }) => kind === 'restore');
  expect(noted.map(({ address }) => `${address}/app`)).toEqual(
    expect.arrayContaining([...addresses]),
  );
  expect(noted[0]).toMatchObject({ author: 'ada', reason: 'the disk was lost' });
  const ready = await fetch(`${cluster.node('node-1').url}/readyz`);
  expect(await ready.json()).toMatchObject({ status: 'ready', checks: { restore: 'ok' } });
});
