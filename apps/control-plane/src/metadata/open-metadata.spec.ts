import { createLogger, loadSettings } from '@pawl/platform';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openMetadata, restAddress } from './open-metadata.js';

it.each([
  ['127.0.0.1', 7400, undefined, 'http://127.0.0.1:7400'],
  ['10.0.0.1', 7400, '127.0.0.1:7480', 'http://10.0.0.1:7400'],
  ['0.0.0.0', 7400, 'one.example:7480', 'http://one.example:7400'],
  ['::', 7400, '[2001:db8::1]:7480', 'http://[2001:db8::1]:7400'],
  ['0.0.0.0', 7400, undefined, undefined],
  ['127.0.0.1', 0, '10.0.0.1:7480', undefined],
])('knows where REST at %s:%i is, of the member at %s: %s', (host, port, peer, address) => {
  expect(restAddress({ host, port, allowedHosts: [] }, peer)).toBe(address);
});

it('tells the others where REST of the node is', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'pawl-metadata-'));
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const port = String((taken.address() as AddressInfo).port);
  taken.close();
  await once(taken, 'close');
  const ports = { PAWL_HTTP_PORT: port, PAWL_PEER_PORT: '0', PAWL_ETCD_PORT: '0' };
  const loaded = loadSettings({ PAWL_DATA_DIR: dataDir, ...ports });
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  const opened = await openMetadata(loaded.settings, createLogger({ level: 'silent' }));
  const installation = { name: 'main', id: 'one', generation: 1, shards: 1 };
  const ownership = await opened.ownership(installation);
  try {
    await ownership.start({
      claimed: () => Promise.resolve(),
      lost: () => Promise.resolve(),
      mark: () => undefined,
    });
    const { nodes } = await ownership.status();
    expect(nodes).toMatchObject([{ id: 'node-1', address: `http://127.0.0.1:${port}` }]);
  } finally {
    await ownership.stop();
    await opened.close();
    await rm(dataDir, { recursive: true });
  }
});

it('begins no folder of a member where REST could not listen', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'pawl-metadata-'));
  const other = createServer().listen(0, '127.0.0.1');
  try {
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const loaded = loadSettings({
      PAWL_DATA_DIR: dataDir,
      PAWL_HTTP_PORT: String(port),
      PAWL_PEER_PORT: '0',
      PAWL_ETCD_PORT: '0',
    });
    if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
    const opening = openMetadata(loaded.settings, createLogger({ level: 'silent' }));
    await expect(opening).rejects.toThrow(`Cannot listen on 127.0.0.1:${port} for REST`);
    expect(await readdir(join(dataDir, 'metadata'))).toEqual([]);
  } finally {
    other.close();
    await rm(dataDir, { recursive: true });
  }
});
