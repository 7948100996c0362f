import { join } from 'node:path';
import { AdminClient } from '@pawl/admin-client';
import type { Scope } from '@pawl/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startControlPlane } from '../../infra/dev/lib/control-plane.mjs';
import { layOut } from '../../infra/dev/lib/data-folder.mjs';
import { readJson } from '../../infra/dev/lib/files.mjs';
import type { Service } from '../../infra/dev/lib/service.mjs';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { endWithUs } from '../support/leash.js';
import { send } from '../support/stack-http.js';
import { storedSnapshot } from '../support/stack-nats.js';
import { query } from '../support/stack-truth.js';
import { startStack, type TestStack } from '../support/stack.js';
import { makeTemporaryFolder } from '../support/temporary-folder.js';

const ADDRESS = 'acme/app';

let stack: TestStack;
let database: TestDatabase;
let folder: Awaited<ReturnType<typeof makeTemporaryFolder>>;
let second: Service | undefined;
let old: Scope<object>;
const problems: string[] = [];

beforeAll(async () => {
  stack = await startStack();
  database = await createDatabase();
  folder = await makeTemporaryFolder('second');
  await stack.promote(ADDRESS, { from: 'old', edition: 1 });
  const pawl = await stack.connectSdk({ consumerId: 'old' });
  old = await pawl.open(ADDRESS);
  old.on('error', ({ code }) => problems.push(code));
});
afterAll(async () => {
  await second?.stop();
  await folder?.remove();
  await stack?.stop();
  await database?.drop();
});

/** `<name>/<id>` of the installation in a database. */
async function installationIn({ url }: TestDatabase): Promise<string> {
  const [row] = await query<{ name: string; id: string }>(url, 'SELECT name, id FROM installation');
  return `${row?.name}/${row?.id}`;
}

/** A control plane of the same name over an empty database; gives its URL, ready or not. */
async function startSecond(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const data = layOut(folder.path);
  const starting = startControlPlane({
    data,
    env: {
      PAWL_HTTP_PORT: '0',
      PAWL_PEER_PORT: '0',
      PAWL_ETCD_PORT: '0',
      PAWL_LOG_LEVEL: 'warn',
      PAWL_POSTGRES_URL: database.url,
      PAWL_NATS_URL: stack.nats.url,
      ...env,
    },
    logFile: join(data.logs, 'control-plane.log'),
    onSpawn: (service) => {
      second = service;
      endWithUs(service.pid);
    },
  });
  // It is stopped while it is not ready.
  starting.catch(() => undefined);
  return eventually(async () => {
    const endpoints = (await readJson(data.endpoints)) as
      { readonly http?: string; readonly processes: { readonly controlPlane: number } } | undefined;
    if (endpoints?.http === undefined) throw new Error('it does not listen yet');
    expect(endpoints.processes.controlPlane).toBe(second?.pid);
    return endpoints.http;
  }, 60_000);
}

async function readiness(url: string) {
  const answer = await send(url, { path: '/readyz' });
  const { checks } = answer.json<{ checks: Record<string, string> }>();
  return { status: answer.status, checks };
}

/** What a consumer reads that has never been here before and knows the installation by name only. */
async function newcomerReads(): Promise<unknown> {
  const pawl = await stack.connectSdk({ consumerId: 'newcomer', startTimeoutMs: 30_000 });
  const scope = await pawl.open<object>(ADDRESS);
  const document = scope.current;
  await pawl.close();
  return document;
}

it('a second installation on the same NATS is not ready, says why, and leaves the first alone', async () => {
  const url = await startSecond();
  const [first, other] = [await installationIn(stack.database), await installationIn(database)];
  expect(first).not.toBe(other);
  await eventually(async () => {
    const { status, checks } = await readiness(url);
    expect(status).toBe(503);
    expect(checks).toMatchObject({ postgres: 'ok', metadata: 'ok', shards: 'ok' });
    expect(checks['nats']).toContain(`belongs to installation ${first}, this is ${other}`);
    expect(checks['nats']).toContain(`PAWL_ADOPT_STREAMS=${first}`);
  });
  const admin = new AdminClient({ url });
  await admin.putConfig(ADDRESS, { json: { from: 'new' } }, { expect: 'none' });
  expect(await admin.release(ADDRESS, { action: 'promote' })).toMatchObject({ stableVersion: 1 });

  await stack.promote(ADDRESS, { from: 'old', edition: 2 });
  await eventually(() => expect(old.current).toEqual({ from: 'old', edition: 2 }));
  await stack.converged(ADDRESS, 1);
  expect(await newcomerReads()).toEqual({ from: 'old', edition: 2 });
  expect((await storedSnapshot(stack.nats.url, ADDRESS))?.installation).toBe(first);
  expect((await admin.rollout(ADDRESS)).consumers.live).toBe(0);
  expect(problems).toEqual([]);
  expect((await readiness(url)).status).toBe(503);
});

it('adopts the streams of the first when it is told that one is gone for good', async () => {
  await stack.controlPlane.shutDown();
  await second?.stop();
  const [first, other] = [await installationIn(stack.database), await installationIn(database)];
  const url = await startSecond({ PAWL_ADOPT_STREAMS: first });
  await eventually(async () => expect((await readiness(url)).status).toBe(200), 60_000);
  await eventually(async () => {
    expect((await storedSnapshot(stack.nats.url, ADDRESS))?.installation).toBe(other);
  });
  expect(await newcomerReads()).toEqual({ from: 'new' });
  await eventually(() => expect(problems).toContain('foreign-installation'));
  expect(old.current).toEqual({ from: 'old', edition: 2 });
});
