import { address } from '@pawl/contracts';
import { TruthUnavailableError } from '@pawl/engine';
import {
  createLogger,
  knownInstallation,
  loadSettings,
  ownProcess,
  readEndpoints,
  type Settings,
} from '@pawl/platform';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { compose, type ControlPlane } from './composition.js';
import { StartError } from './runtime/start-error.js';
import { FakeNats } from './testing/fake-nats.js';
import { FakeRooms } from './testing/fake-rooms.js';

const logger = createLogger({ level: 'silent' });
let dataDir: string;
let nats: FakeNats;
let rooms: FakeRooms;
let running: ControlPlane | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pawl-composition-'));
  rooms = new FakeRooms();
  nats = await FakeNats.started();
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await nats.close();
  await rm(dataDir, { recursive: true });
});

function settings(env: Record<string, string> = {}): Settings {
  const loaded = loadSettings({
    PAWL_DATA_DIR: dataDir,
    PAWL_HTTP_PORT: '0',
    PAWL_PEER_PORT: '0',
    PAWL_ETCD_PORT: '0',
    PAWL_POSTGRES_URL: 'postgres://pawl:hunter2@127.0.0.1:1/pawl',
    PAWL_NATS_URL: nats.url,
    ...env,
  });
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  return loaded.settings;
}

async function start(env: Record<string, string> = {}): Promise<ControlPlane> {
  running = await compose(settings(env), rooms, logger);
  return running;
}

const PUT = {
  method: 'PUT',
  headers: { 'content-type': 'application/json', 'if-none-match': '*' },
  body: '{"a":1}',
};

describe('a control plane', () => {
  it('is ready once it is started, and the next write succeeds', async () => {
    const { url } = await start();
    expect(await fetch(`${url}/readyz`).then((answer) => answer.json())).toEqual({
      status: 'ready',
      checks: {
        postgres: 'ok',
        nats: 'ok',
        metadata: 'ok',
        shards: 'ok',
        streams: 'ok',
        restore: 'ok',
      },
    });
    const put = (body: string, headers = {}) =>
      fetch(`${url}/v1/config/acme/shop`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      });
    expect((await put('{"a":1}')).status).toBe(201);
    expect((await put('{"a":2}')).status).toBe(428);
    const second = await put('{"a":2}', { 'if-match': '"1"' });
    expect([second.status, second.headers.get('etag')]).toEqual([200, '"2"']);
    const metrics = await fetch(`${url}/metrics`).then((answer) => answer.text());
    expect(metrics).toMatch(/pawl_write_duration_seconds_count\{command="[^"]+",outcome="ok"\} 2/);
    expect(metrics).toContain('pawl_shards_served 4');
    expect(metrics).toContain('process_resident_memory_bytes');
  });

  it('is not ready, and says why, while the quorum does not answer', async () => {
    const { url } = await start();
    rooms.metadataProblem = 'nobody leads the quorum';
    const answer = await fetch(`${url}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ checks: { metadata: 'nobody leads the quorum' } });
  });

  it('says where it is, without passwords, for as long as it runs', async () => {
    const controlPlane = await start();
    expect(await readEndpoints(dataDir)).toEqual({
      installation: 'main/test',
      http: controlPlane.url,
      postgres: 'postgres://127.0.0.1:1/pawl',
      nats: nats.url,
      peer: '127.0.0.1:7480',
      etcd: 'http://127.0.0.1:7479',
      ...ownProcess('controlPlane'),
    });
    const { url } = controlPlane;
    for (const path of ['/healthz', '/v1/cluster']) {
      const view: unknown = await fetch(url + path).then((answer) => answer.json());
      expect(view, 'by which clients tell it').toMatchObject({ installation: 'main/test' });
    }
    await controlPlane.stop();
    expect(await readEndpoints(dataDir)).toBeUndefined();
    expect(await knownInstallation(dataDir), 'whose the folder is').toBe('main/test');
  });

  it('says that it is there before it serves, while it waits for what it needs', async () => {
    const waiting = new Promise<unknown>((resolve) => {
      const openTruth = rooms.openTruth.bind(rooms);
      rooms.openTruth = async () => {
        resolve(await readEndpoints(dataDir));
        return openTruth();
      };
    });
    await start();
    const { http, installation, ...about } = (await readEndpoints(dataDir)) ?? { processes: {} };
    expect(await waiting).toEqual(about);
    expect([http, installation]).toEqual([expect.any(String), 'main/test']);
  });

  it('opens and closes in order, once', async () => {
    const controlPlane = await start();
    await vi.waitFor(() => expect(rooms.log).toContain('looks started'));
    expect(rooms.log.splice(0)).toEqual([
      'metadata opened',
      'validator opened',
      'truth opened',
      'distribution opened',
      'ownership started',
      'jobs started',
      'looks started',
    ]);
    await Promise.all([controlPlane.stop(), controlPlane.stop()]);
    expect(rooms.log).toEqual([
      'jobs closed',
      'looks closed',
      'shards handed over',
      'ownership stopped',
      'distribution closed',
      'truth closed',
      'validator closed',
      'metadata closed',
    ]);
  });

  it('is not ready while it stops, and serves on until others have been found', async () => {
    let handedOver = (): void => undefined;
    rooms.draining = () => new Promise((resolve) => (handedOver = resolve));
    rooms.others = true;
    const controlPlane = await start();
    const { url } = controlPlane;
    const statusOf = async (path: string): Promise<number> => (await fetch(url + path)).status;
    expect(await statusOf('/readyz')).toBe(200);
    const stopped = controlPlane.stop();
    await vi.waitFor(async () => expect(await statusOf('/readyz')).toBe(503));
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({
      checks: { nats: 'ok', shards: 'go to other nodes: this one is about to stop' },
    });
    expect(await statusOf('/v1/config/acme')).toBe(404);
    handedOver();
    await vi.waitFor(() => expect(rooms.log).toContain('shards handed over'));
    expect([await statusOf('/healthz'), await statusOf('/readyz')]).toEqual([200, 503]);
    expect(rooms.log).not.toContain('ownership stopped');
    await stopped;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it('sweeps through the owners of all shards', async () => {
    await start();
    expect(await rooms.jobs?.sweeper.sweep('idempotency', new AbortController().signal)).toBe(8);
    expect(rooms.jobs?.intervalMs).toEqual({
      idempotency: 600_000,
      consumers: 600_000,
      contents: 600_000,
    });
  });

  it('looks where jobs say so, hints at commits, and names webhooks without their secrets', async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const env = {
      PAWL_WEBHOOK_URLS:
        'https://me:hunter2@hooks.example.com/pawl?key=hunter3,http://10.0.0.5:8080',
      PAWL_WEBHOOK_SECRET: `whsec_${Buffer.alloc(24, 7).toString('base64')}`,
    };
    running = await compose(settings(env), rooms, createLogger({ level: 'debug', destination }));
    await vi.waitFor(() => expect(rooms.looks).toBeDefined());
    expect(rooms.looks?.webhooks.endpoints).toEqual([
      expect.stringMatching(/^hooks\.example\.com-[0-9a-f]{8}$/),
      expect.stringMatching(/^10\.0\.0\.5-[0-9a-f]{8}$/),
    ]);
    const put = () => fetch(`${running?.url}/v1/config/acme/app`, PUT);
    await vi.waitFor(async () => expect((await put()).ok).toBe(true));
    expect(rooms.hints).toContain('committed');
    expect(await rooms.looks?.lookAgain(address('acme/app'))).toEqual({ ok: true, value: null });
    expect(await rooms.looks?.webhooks.deliver('nobody-knows')).toBeNull();
    const told = await (await fetch(`${running.url}/v1/webhooks`)).text();
    expect((JSON.parse(told) as { items: object[] }).items).toMatchObject([
      { site: 'https://hooks.example.com', state: 'delivering' },
      { site: 'http://10.0.0.5:8080', state: 'delivering' },
    ]);
    expect(told).not.toMatch(/hunter|pawl\?/);
    expect(lines.join('')).not.toMatch(/hunter|whsec_|BwcHBw/);
  });

  it('serves while the sweeps cannot be started, and starts them when they can', async () => {
    rooms.failures.set('startSweepJobs', new Error('no connection'));
    const { url } = await start();
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect(rooms.log).not.toContain('jobs started');
    rooms.failures.delete('startSweepJobs');
    await vi.waitFor(() => expect(rooms.log).toContain('jobs started'), 10_000);
  });

  it('stops while the sweeps cannot be started', async () => {
    rooms.failures.set('startSweepJobs', new Error('no connection'));
    const controlPlane = await start();
    await controlPlane.stop();
    expect(rooms.log.at(-1)).toBe('metadata closed');
    expect(rooms.log).not.toContain('jobs started');
  });

  it('logs what the truth has to say about its database', async () => {
    rooms.notes = ['it was restored'];
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    running = await compose(settings(), rooms, createLogger({ level: 'warn', destination }));
    expect(lines.filter((line) => line.includes('it was restored'))).toHaveLength(1);
  });

  it('refuses reads, but never status, when its fences were checked a lease ago', async () => {
    const { url } = await start({ PAWL_LEASE_TTL_MS: '500' });
    await fetch(`${url}/v1/config/acme/shop`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"a":1}',
    });
    const statusOf = async (path: string): Promise<number> => (await fetch(url + path)).status;
    expect(await statusOf('/v1/config/acme/shop')).toBe(200);
    rooms.truth.beforeFences = () => Promise.reject(new TruthUnavailableError('down'));
    // Before the default lease would be over: it is this one's that counts.
    await vi.waitFor(async () => expect(await statusOf('/v1/config/acme/shop')).toBe(503), 4_000);
    const refused = await fetch(`${url}/v1/effective/acme/shop`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.json()).toMatchObject({ code: 'truth-unavailable' });
    expect(await statusOf('/v1/rollout/acme/shop')).toBe(200);
    expect(await statusOf('/v1/consumers/acme/shop')).toBe(200);
    rooms.truth.beforeFences = () => Promise.resolve();
    expect(await statusOf('/v1/config/acme/shop')).toBe(200);
  });

  it('is not ready while NATS is away, and still starts and writes', async () => {
    rooms.publisher.up = false;
    const { url } = await start();
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ checks: { nats: 'does not answer', shards: 'ok' } });
  });
});

describe('NATS that does not answer what commands arrive over', () => {
  const seen = async (url: string) => {
    const answer = await fetch(`${url}/readyz`);
    const { checks } = (await answer.json()) as { checks: { nats: string } };
    return [checks.nats, rooms.natsProblem];
  };

  it('makes the node not ready, and its ownership is told, until it answers again', async () => {
    const { url } = await start({ PAWL_LEASE_TTL_MS: '500' });
    await vi.waitFor(async () => expect(await seen(url)).toEqual(['ok', null]), 5_000);
    nats.hangs = true;
    const silent = ['does not answer', 'NATS does not answer'];
    await vi.waitFor(async () => expect(await seen(url)).toEqual(silent), 5_000);
    nats.hangs = false;
    await vi.waitFor(async () => expect(await seen(url)).toEqual(['ok', null]), 5_000);
  });
});

describe('a control plane that cannot start', () => {
  it('says that its port is taken, and closes what it opened', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    const starting = start({ PAWL_HTTP_PORT: String(port) });
    await expect(starting).rejects.toThrow(StartError);
    await expect(starting).rejects.toThrow(`Cannot listen on port ${port} on 127.0.0.1: something`);
    other.close();
    expect(rooms.log.slice(-4)).toEqual([
      'distribution closed',
      'truth closed',
      'validator closed',
      'metadata closed',
    ]);
    expect(await readEndpoints(dataDir)).toBeUndefined();
  });

  it('says that its data folder cannot be used', async () => {
    const denied = Object.assign(new Error('EACCES: permission denied, mkdir'), { code: 'EACCES' });
    rooms.failures.set('openMetadata', denied);
    await expect(start()).rejects.toThrow(StartError);
    await expect(start()).rejects.toThrow(`The data folder ${dataDir} cannot be used (EACCES`);
  });

  it('says that it has no such address', async () => {
    await expect(start({ PAWL_HTTP_HOST: '192.0.2.1' })).rejects.toThrow(/no such address.*\.$/);
  });

  it.each([
    [{ PAWL_POSTGRES_URL: '' }, /^PAWL_POSTGRES_URL is not set: `npm start`/],
    [{ PAWL_NATS_URL: '' }, /^PAWL_NATS_URL is not set: `npm start`/],
  ])('refuses %j before it opens anything', async (env, says) => {
    await expect(start(env as Record<string, string>)).rejects.toThrow(says);
    expect(rooms.log).toEqual([]);
  });

  it.each(['createSchemaValidator', 'openTruth', 'connectDistribution'] as const)(
    'closes what it opened when %s fails',
    async (room) => {
      rooms.failures.set(room, new Error('broken'));
      await expect(start()).rejects.toThrow('broken');
      const opened = rooms.log.filter((entry) => / opened$/.test(entry));
      const closed = rooms.log.filter((entry) => / closed$/.test(entry));
      expect(closed.reverse().map((entry) => entry.replace('closed', 'opened'))).toEqual(opened);
    },
  );
});
