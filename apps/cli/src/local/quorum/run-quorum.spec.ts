import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { isAlive, ownIdentity } from '@pawl/contracts/node';
import { listEndpoints, writerOf } from '@pawl/platform/local';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CliWorld } from '../../testing/cli-world.js';

let world: CliWorld;
let other: Server;

beforeEach(async () => {
  world = await CliWorld.start();
  other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
});

afterEach(async () => {
  other.close();
  await world.stop();
});

/** A deadline, not an expectation. */
const START_MS = 30_000;
const PORTS = ['--peer-port', '0', '--etcd-port', '0', '--http-port', '0'];

const quorum = (dataDir: string, ...args: string[]) =>
  world.run(['quorum', '--data-dir', dataDir, ...PORTS, ...args], { env: {} });

it.each([
  ['--http-port', 'PAWL_HTTP_PORT', 'health and metrics'],
  ['--etcd-port', 'PAWL_ETCD_PORT', 'the coordination API'],
  ['--peer-port', 'PAWL_PEER_PORT', 'the other members of the quorum'],
])('begins nothing when the port of %s is taken, and says what to set', async (...row) => {
  const [option, setting, what] = row;
  const { port } = other.address() as AddressInfo;
  const dataDir = join(world.folder, 'new');
  const peers = ['--peers', 'node-1=127.0.0.1:1,b=127.0.0.1:2,c=127.0.0.1:3'];
  expect(await quorum(dataDir, ...peers, option, String(port))).toEqual({
    code: 1,
    out: '',
    err: `pawl: Cannot listen on 127.0.0.1:${port} for ${what}: something else does, perhaps another Pawl; stop it or set ${option} (${setting}) to another port.\n`,
  });
  expect(await readdir(join(dataDir, 'metadata'))).toEqual([]);
});

it('says what to do about a data folder that is none', async () => {
  const file = await world.file('file', '');
  const { code, err } = await quorum(file);
  expect(code).toBe(1);
  expect(err).toMatch(
    /^pawl: the data folder .*file cannot be used \(ENOTDIR: .*\): make it a folder .* with --data-dir \(PAWL_DATA_DIR\)\n$/,
  );
});

it('does not go on alone in a folder without a member, and makes none', async () => {
  const dataDir = join(world.folder, 'mistyped');
  expect(await quorum(dataDir, '--force-new-cluster')).toEqual({
    code: 1,
    out: '',
    err: `pawl: ${join(dataDir, 'metadata')} holds no member: name the folder of the one that is left.\n`,
  });
  expect(existsSync(dataDir)).toBe(false);
});

it(
  'writes down which process it is, for as long as it runs',
  async () => {
    const dataDir = join(world.folder, 'new');
    const stop = new AbortController();
    const env = { PAWL_LOG_LEVEL: 'silent' };
    const words = ['quorum', '--data-dir', dataDir, ...PORTS];
    const running = world.run(words, { env, signal: stop.signal });
    try {
      const found = async () => (await listEndpoints(dataDir))[0];
      const written = await vi.waitUntil(found, { timeout: START_MS });
      const writer = writerOf(written);
      expect(writer).toEqual(ownIdentity());
      expect(writer && isAlive(writer)).toBe(true);
    } finally {
      stop.abort();
    }
    expect(await running).toMatchObject({ code: 0, err: '' });
    expect(await listEndpoints(dataDir)).toEqual([]);
  },
  2 * START_MS,
);
