import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEndpoints } from '@pawl/platform';
import { runControlPlane, type HostProcess } from './run-control-plane.js';
import { FakeRooms } from './testing/fake-rooms.js';

class FakeProcess implements HostProcess {
  readonly said: string[] = [];
  readonly exited: Promise<number>;
  readonly #listeners = new Map<string, (error: unknown) => void>();
  #exit: (code: number) => void = () => undefined;

  constructor(readonly env: Record<string, string>) {
    this.exited = new Promise((resolve) => (this.#exit = resolve));
  }

  on(event: string, listener: (error: never) => void): void {
    this.#listeners.set(event, listener as (error: unknown) => void);
  }
  say(line: string): void {
    this.said.push(line);
  }
  exit(code: number): void {
    this.#exit(code);
  }
  raise(event: string, error?: unknown): void {
    this.#listeners.get(event)?.(error);
  }
}

let dataDir: string;
let rooms: FakeRooms;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pawl-run-'));
  rooms = new FakeRooms();
});
afterEach(() => rm(dataDir, { recursive: true }));

function host(env: Record<string, string> = {}): FakeProcess {
  return new FakeProcess({
    PAWL_DATA_DIR: dataDir,
    PAWL_HTTP_PORT: '0',
    PAWL_PEER_PORT: '0',
    PAWL_ETCD_PORT: '0',
    PAWL_LOG_LEVEL: 'silent',
    PAWL_POSTGRES_URL: 'postgres://127.0.0.1:1/pawl',
    PAWL_NATS_URL: 'nats://127.0.0.1:1',
    ...env,
  });
}

describe('runControlPlane', () => {
  it.each(['SIGTERM', 'SIGINT'])('stops in order at %s with exit code 0', async (signal) => {
    const process = host();
    await runControlPlane(process, rooms);
    expect(await readEndpoints(dataDir)).toBeDefined();
    process.raise(signal);
    expect(await process.exited).toBe(0);
    expect(rooms.log.at(-1)).toBe('metadata closed');
    expect(await readEndpoints(dataDir)).toBeUndefined();
  });

  it('obeys a signal that comes while it starts', async () => {
    const process = host();
    const running = runControlPlane(process, rooms);
    process.raise('SIGTERM');
    await running;
    expect(await process.exited).toBe(0);
    expect(rooms.log.at(-1)).toBe('metadata closed');
  });

  it('does not wait long for a start that hangs', async () => {
    rooms.openMetadata = () => new Promise(() => undefined);
    const process = host();
    void runControlPlane(process, rooms);
    process.raise('SIGINT');
    expect(await process.exited).toBe(0);
  });

  it('does not wait at a second signal', async () => {
    rooms.startSweepJobs = async () => ({ close: () => new Promise(() => undefined) });
    const process = host();
    await runControlPlane(process, rooms);
    process.raise('SIGINT');
    process.raise('SIGINT');
    expect(await process.exited).toBe(130);
  });

  it('stops with exit code 1 when something was caught by nobody', async () => {
    const process = host();
    await runControlPlane(process, rooms);
    process.raise('uncaughtException', new Error('invariant broken'));
    expect(await process.exited).toBe(1);
    expect(rooms.log.at(-1)).toBe('metadata closed');
  });

  it('says each wrong setting in a line and exits with 1', async () => {
    const process = host({ PAWL_HTTP_PORT: 'x', PAWL_SHARDS: '0' });
    await runControlPlane(process, rooms);
    expect(process.said).toEqual([
      'pawl: PAWL_HTTP_PORT must be a whole number from 0 to 65535, not "x".',
      'pawl: PAWL_SHARDS must be a whole number from 1 to 4096, not "0".',
    ]);
    expect(await process.exited).toBe(1);
  });

  it('says in one line why it cannot start and exits with 1', async () => {
    const process = host({ PAWL_NATS_URL: '' });
    await runControlPlane(process, rooms);
    expect(process.said).toHaveLength(1);
    expect(process.said[0]).toMatch(/^pawl: PAWL_NATS_URL is not set/);
    expect(await process.exited).toBe(1);
  });
});
