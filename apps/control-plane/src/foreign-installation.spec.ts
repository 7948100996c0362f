import { backgroundTimer, systemClock } from '@pawl/contracts/node';
import { FakeTruthStore } from '@pawl/engine/testing';
import { openMetadata, raiseEpoch } from '@pawl/metadata';
import type { Logger, Settings } from '@pawl/platform';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ROOMS } from './rooms.js';
import { runControlPlane } from './run-control-plane.js';
import { FakeRooms } from './testing/fake-rooms.js';

/** Everything in memory but the metadata, which is on disk; PostgreSQL holds the installation `id`. */
function roomsOf(id: string): FakeRooms {
  const rooms = new FakeRooms();
  const truth = new FakeTruthStore({ name: 'main', id, generation: 1, shards: 4 });
  const onDisk = (settings: Settings, logger: Logger) => ROOMS.openMetadata(settings, logger);
  return Object.assign(rooms, { truth, openMetadata: onDisk });
}

/** Exit code of a control plane that was stopped as soon as it had started, and what it said. */
async function run(rooms: FakeRooms): Promise<{ code: number | undefined; said: string[] }> {
  const said: string[] = [];
  let code: number | undefined;
  let terminate = (): void => undefined;
  await runControlPlane(
    {
      env: {
        PAWL_DATA_DIR: dataDir,
        PAWL_HTTP_PORT: '0',
        PAWL_PEER_PORT: '0',
        PAWL_ETCD_PORT: '0',
        PAWL_POSTGRES_URL: 'postgres://127.0.0.1:1/pawl',
        PAWL_NATS_URL: 'nats://127.0.0.1:1',
        PAWL_LOG_LEVEL: 'silent',
      },
      on: (event: string, listener: unknown) => {
        if (event === 'SIGTERM') terminate = listener as () => void;
      },
      say: (line) => void said.push(line),
      exit: (with_) => void (code ??= with_),
    },
    rooms,
  );
  if (code === undefined) terminate();
  await vi.waitFor(() => expect(code).toBeDefined(), 10_000);
  return { code, said };
}

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pawl-foreign-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

it('refuses another PostgreSQL than its metadata belongs to, until that is adopted', async () => {
  const own = roomsOf('one');
  expect(await run(own)).toEqual({ code: 0, said: [] });
  const foreign = roomsOf('two');
  const { code, said } = await run(foreign);
  expect(code).toBe(1);
  expect(said).toEqual([
    expect.stringMatching(
      /^pawl: this node's metadata belongs to installation main\/one, but PostgreSQL holds installation main\/two: give .*, or, .* `pawl metadata adopt`/,
    ),
  ]);
  expect(foreign.log).not.toContain('distribution opened');
  expect((await foreign.truth.readFences([0, 1, 2, 3])).tokens.size).toBe(0);
  expect(await run(own)).toEqual({ code: 0, said: [] });

  const folder = join(dataDir, 'metadata');
  const clock = { clock: systemClock, timer: backgroundTimer };
  const store = await openMetadata({ dataDir: folder, nodeId: 'node-1', ...clock });
  await raiseEpoch(store);
  await store.close();
  expect(await run(foreign)).toEqual({ code: 0, said: [] });
  const { tokens } = await foreign.truth.readFences([0]);
  expect(tokens.get(0)).toBeGreaterThan(2n << 48n);
  expect((await run(own)).code).toBe(1);
});
