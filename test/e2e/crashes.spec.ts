import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRng } from '@pawl/kernel';
import type { Pawl, Scope } from '@pawl/sdk';
import { CONTROL_PLANE } from '../../infra/dev/lib/repository.mjs';
import { eventually } from '../support/eventually.js';
import type { HttpAnswer } from '../support/stack-http.js';
import { storedSnapshot, SUBJECTS, withNats } from '../support/stack-nats.js';
import { startOwnPostgres, type TestPostgres } from '../support/stack-postgres.js';
import { query } from '../support/stack-truth.js';
import { startStack, type TestStack } from '../support/stack.js';

const ADDRESS = 'acme/app';
/** Of the moments at which the control plane is killed. */
const SEED = 20_261_120;
/** Beyond what travels inline, so that it has a content of its own. */
const BIG = 'x'.repeat(20_000);

let postgres: TestPostgres;
let stack: TestStack;
let cacheDir: string;
let pawl: Pawl;
let scope: Scope<{ readonly n: number; readonly big: string }>;
let n = 0;

beforeAll(async () => {
  postgres = await startOwnPostgres();
  stack = await startStack({ database: postgres });
  cacheDir = await mkdtemp(join(tmpdir(), 'pawl-crashes-'));
  await promote();
  pawl = await stack.connectSdk({ consumerId: 'witness', cacheDir });
  scope = await pawl.open(ADDRESS);
  await runsNewest();
});
afterAll(async () => {
  await (stack?.stop() ?? postgres?.drop());
  await rm(cacheDir, { recursive: true, force: true });
});

/** Writes and promotes the next version. */
async function promote(): Promise<void> {
  const admin = stack.admin();
  const document = { n: (n += 1), big: BIG };
  await admin.putConfig(ADDRESS, { json: document }, { expect: n === 1 ? 'none' : n - 1 });
  const release = await admin.release(ADDRESS, { action: 'promote' });
  expect(release).toMatchObject({ state: 'idle', stableVersion: n });
}

function runsNewest(): Promise<void> {
  return eventually(() => expect(scope.current).toEqual({ n, big: BIG }), 30_000);
}

/** A consumer that has never been here before gets the newest version. */
async function newcomerRunsNewest(): Promise<void> {
  const newcomer = await stack.connectSdk({ consumerId: 'newcomer', startTimeoutMs: 30_000 });
  const opened = await newcomer.open<{ n: number; big: string }>(ADDRESS);
  await eventually(() => expect(opened.current).toEqual({ n, big: BIG }));
  await newcomer.close();
}

/** The snapshot version that a consumer is recorded to run. */
async function savedVersion(consumerId: string): Promise<unknown> {
  const [row] = await query(
    postgres.url,
    `SELECT (run->>'version')::int AS version
     FROM consumer_status, jsonb_array_elements(runs::jsonb) AS run
     WHERE consumer_id = $1 AND run->>'address' = $2`,
    [consumerId, ADDRESS],
  );
  return row?.['version'];
}

describe('a control plane that is killed (kill -9)', () => {
  it('between commit and publication: what was committed arrives after its restart', async () => {
    const before = await storedSnapshot(stack.nats.url, ADDRESS);
    const running = scope.version;
    await stack.nats.kill();
    await promote();
    await stack.controlPlane.kill();
    await stack.nats.start();
    expect(await storedSnapshot(stack.nats.url, ADDRESS)).toEqual(before);
    expect(scope.version).toBe(running);

    await stack.controlPlane.start();
    await runsNewest();
    expect(scope.version).toBeGreaterThan(running);
    await newcomerRunsNewest();
  });

  it('under writers, again and again: every acknowledged write is there, without a gap', async () => {
    const rng = seededRng(SEED);
    const writers = ['storm/a', 'storm/b', 'other/c'].map((address) => new Writer(address));
    for (let round = 0; round < 5; round += 1) {
      const acknowledged = () => writers.reduce((sum, { acked }) => sum + acked.size, 0);
      const enough = acknowledged() + 1 + rng.below(40);
      await eventually(() => {
        for (const { failure } of writers) expect(failure).toBeUndefined();
        expect(acknowledged()).toBeGreaterThanOrEqual(enough);
      }, 60_000);
      await stack.controlPlane.kill();
      await stack.controlPlane.start();
    }
    for (const writer of writers) await writer.stop();
    for (const { address, acked, failure } of writers) {
      expect(failure).toBeUndefined();
      const newest = (await stack.admin().getConfig(address)).version;
      expect(Math.max(...acked.keys())).toBeLessThanOrEqual(newest);
      for (let version = 1; version <= newest; version += 1) {
        const { document } = await stack.admin().getConfig(address, version);
        if (acked.has(version)) expect(document).toEqual({ n: acked.get(version) });
      }
      const rows = await query(
        postgres.url,
        'SELECT version::int FROM config_definition WHERE address = $1 ORDER BY 1',
        [address],
      );
      expect(rows).toEqual(Array.from({ length: newest }, (_, at) => ({ version: at + 1 })));
      const history = await query(
        postgres.url,
        "SELECT version::int FROM history_entry WHERE address = $1 AND kind = 'definition' ORDER BY 1",
        [address],
      );
      expect(history).toEqual(rows);
    }
  });

  it('knows its consumers again', async () => {
    // What was heard within the last second before a kill is heard again with the next heartbeat.
    await eventually(async () => expect(await savedVersion('witness')).toBe(scope.version));
    await stack.controlPlane.kill();
    await stack.controlPlane.start();
    const after = await stack.admin().consumers(ADDRESS, { state: 'applied' });
    expect(after.items.map(({ consumerId }) => consumerId)).toContain('witness');
    await eventually(async () => {
      expect(await stack.admin().rollout(ADDRESS)).toMatchObject({
        converged: true,
        consumers: { live: 1, applied: 1 },
      });
    });
  });
});

describe('NATS', () => {
  it('down: writes are answered, and arrive when it is back', async () => {
    await stack.nats.kill();
    await promote();
    expect((await stack.send({ path: '/readyz' })).status).toBe(503);
    expect((await stack.admin().rollout(ADDRESS)).converged).toBe(false);
    await stack.nats.start();
    await runsNewest();
  });

  it('without its store: everything is published anew', async () => {
    await stack.nats.stop();
    await stack.nats.start();
    await newcomerRunsNewest();
    const version = scope.version;
    await promote();
    await runsNewest();
    expect(scope.version).toBe(version + 1);
    await newcomerRunsNewest();
  });

  it('whose contents were purged: a newcomer gets them, and so does the next release', async () => {
    const purge = (): Promise<unknown> =>
      withNats(stack.nats.url, async (connection) => {
        const manager = await jetstreamManager(connection);
        const { purged } = await manager.streams.purge(SUBJECTS.contentStream);
        expect(purged).toBeGreaterThan(0);
      });
    await purge();
    await newcomerRunsNewest();
    await purge();
    const { releaseVersion } = await stack.admin().release(ADDRESS, { action: 'disable' });
    await stack.admin().release(ADDRESS, {
      action: 'enable',
      expectedReleaseVersion: releaseVersion,
    });
    await newcomerRunsNewest();
    await runsNewest();
  });

  it('without its store while the control plane is down: everything is published at its start', async () => {
    await stack.controlPlane.kill();
    await stack.nats.stop();
    await stack.nats.start();
    await stack.controlPlane.start();
    await newcomerRunsNewest();
    await promote();
    await runsNewest();
  });
});

describe('PostgreSQL down', () => {
  const put = (): ReturnType<TestStack['send']> =>
    stack.send({ method: 'PUT', path: '/v1/config/acme/other', body: '{"n":1}' });

  it('is answered with 503 and Retry-After, and the fleet reads on', async () => {
    await postgres.crash();
    // A connection that nobody has missed yet breaks under the first request, at its commit.
    const statuses = new Set<number>();
    const answer = await eventually(async () => {
      const refused = await put();
      statuses.add(refused.status);
      expect(refused.problem().code).toBe('truth-unavailable');
      return refused;
    });
    expect([...statuses]).toEqual([503]);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await stack.send({ path: '/healthz' })).status).toBe(200);
    await eventually(async () => expect((await stack.send({ path: '/readyz' })).status).toBe(503));

    expect(scope.current).toEqual({ n, big: BIG });
    await newcomerRunsNewest();
  });

  it('refuses reads of the truth once its fence was checked a lease ago, but never status', async () => {
    for (const resource of ['config', 'release', 'effective', 'history']) {
      await eventually(async () => {
        const refused = await stack.send({ path: `/v1/${resource}/${ADDRESS}` });
        expect(refused.status).toBe(503);
        expect(refused.problem().code).toBe('truth-unavailable');
      }, 30_000);
    }
    const shown = await Promise.all(
      ['rollout', 'consumers'].map((each) => stack.send({ path: `/v1/${each}/${ADDRESS}` })),
    );
    expect(shown.map(({ status }) => status)).toEqual([200, 200]);
  });

  it('and back: the next writes succeed and arrive, in the same process', async () => {
    const { pid } = stack.controlPlane;
    await postgres.start();
    await eventually(async () => expect((await put()).status).toBe(201), 30_000);
    await promote();
    await runsNewest();
    expect(stack.controlPlane.pid).toBe(pid);
    expect((await stack.send({ path: '/readyz' })).status).toBe(200);
    expect((await stack.send({ path: `/v1/config/${ADDRESS}` })).status).toBe(200);
  });
});

describe('control plane and NATS down', () => {
  it('a consumer that restarts runs what it ran, from its file, and is found again later', async () => {
    const { version } = scope;
    await pawl.close();
    await stack.controlPlane.kill();
    await stack.nats.kill();

    pawl = await stack.connectSdk({ consumerId: 'witness', cacheDir });
    scope = await pawl.open(ADDRESS);
    expect(scope.current).toEqual({ n, big: BIG });
    expect(scope.version).toBe(version);

    await stack.nats.start();
    await stack.controlPlane.start();
    await promote();
    await runsNewest();
  });

  it('a consumer without a file says that there is nothing to run', async () => {
    const lost = await stack.connectSdk({ servers: 'nats://127.0.0.1:1', startTimeoutMs: 200 });
    await expect(lost.open(ADDRESS)).rejects.toMatchObject({ code: 'no-snapshot' });
  });
});

describe('a second control plane', () => {
  /** Runs one to its end, which is soon. */
  const run = (env: Record<string, string>): Promise<{ code: number; output: string }> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [CONTROL_PLANE],
        {
          env: {
            ...process.env,
            PAWL_HTTP_PORT: '0',
            PAWL_PEER_PORT: '0',
            PAWL_ETCD_PORT: '0',
            PAWL_POSTGRES_URL: postgres.url,
            PAWL_NATS_URL: stack.nats.url,
            PAWL_DATA_DIR: stack.controlPlane.dataFolder,
            PAWL_LOG_LEVEL: 'silent',
            ...env,
          },
          timeout: 60_000,
          killSignal: 'SIGKILL',
        },
        (error, stdout, stderr) =>
          resolve({ code: (error?.code as unknown as number) ?? 0, output: stdout + stderr }),
      );
    });

  const expectUnharmed = async (): Promise<void> => {
    await promote();
    await runsNewest();
  };

  it.each([
    ['on the same data folder', {}],
    ['on the same data folder under another node id', { PAWL_NODE_ID: 'node-2' }],
  ])('%s is refused with one sentence', async (_what, env) => {
    const { code, output } = await run(env);
    expect(output).toMatch(/^pawl: [^\n]+\n$/);
    expect(output).toContain(stack.controlPlane.dataFolder);
    expect(code).toBe(1);
    await expectUnharmed();
  });

  it('for another installation on the same PostgreSQL is refused with one sentence', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pawl-second-'));
    const { code, output } = await run({ PAWL_DATA_DIR: folder, PAWL_INSTALLATION: 'other' });
    await rm(folder, { recursive: true, force: true });
    expect(output).toMatch(/^pawl: [^\n]+\n$/);
    expect(code).toBe(1);
    await expectUnharmed();
  });

  it('on a port in use is refused with one sentence', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pawl-second-'));
    const { port } = new URL(stack.controlPlane.url);
    const { code, output } = await run({ PAWL_DATA_DIR: folder, PAWL_HTTP_PORT: port });
    await rm(folder, { recursive: true, force: true });
    expect(output).toMatch(/^pawl: [^\n]*\b[0-9]+\b[^\n]*\n$/);
    expect(output).toContain(port);
    expect(code).toBe(1);
    await expectUnharmed();
  });
});

describe('SIGTERM', () => {
  const endpoints = (): Promise<string> =>
    readFile(join(stack.controlPlane.dataFolder, 'endpoints.json'), 'utf8');

  it('ends it in order, with readers and consumers connected, and leaves no endpoints behind', async () => {
    const reader = await fetch(`${stack.controlPlane.url}/v1/rollout/${ADDRESS}`, {
      headers: { accept: 'text/event-stream' },
    });
    expect(JSON.parse(await endpoints())).toMatchObject({ http: stack.controlPlane.url });
    expect(await stack.controlPlane.shutDown()).toBe(0);
    await expect(endpoints()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await reader.text()).toContain('event: rollout');
    await stack.controlPlane.start();
    await promote();
    await runsNewest();
  });

  it('ends it in order while PostgreSQL and NATS are down', async () => {
    await stack.nats.kill();
    await postgres.crash();
    expect(await stack.controlPlane.shutDown()).toBe(0);
    await postgres.start();
    await stack.nats.start();
    await stack.controlPlane.start();
    await promote();
    await runsNewest();
  });
});

/** Writes version after version to one address, whatever happens to the server meanwhile. */
class Writer {
  /** What the server has acknowledged: the number written, by version. */
  readonly acked = new Map<number, number>();
  /** Set, and nothing more is written, once the server acknowledged what it must not. */
  failure: unknown;
  #stopped = false;
  readonly #done: Promise<void>;

  constructor(readonly address: string) {
    this.#done = this.#run().catch((error: unknown) => void (this.failure = error));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    let version = 0;
    for (let number = 1; !this.#stopped; number += 1) {
      const answer = await this.#put(version, number).catch(() => undefined);
      if (answer?.status === 200 || answer?.status === 201) {
        version = this.#note(answer.json<{ version: number }>().version, number);
      } else {
        version = answer?.problem().currentVersion ?? version;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  #put(version: number, number: number): Promise<HttpAnswer> {
    return stack.send({
      method: 'PUT',
      path: `/v1/config/${this.address}`,
      headers: version === 0 ? {} : { 'if-match': `"${version}"` },
      body: JSON.stringify({ n: number }),
    });
  }

  #note(version: number, number: number): number {
    expect(version).toBeGreaterThan(Math.max(0, ...this.acked.keys()));
    this.acked.set(version, number);
    return version;
  }
}
