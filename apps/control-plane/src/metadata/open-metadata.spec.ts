import { createLogger, loadSettings } from '@pawl/platform';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openMetadata } from './open-metadata.js';

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
