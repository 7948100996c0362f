import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualTime } from '@pawl/kernel';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openMetadata } from '../quorum/open-metadata.js';
import type { QuorumNode } from '../quorum/quorum-node.js';
import { raiseEpoch } from './raise-epoch.js';
import { ForeignInstallationError, recordInstallation } from './record-installation.js';

let folder: string;
let store: QuorumNode;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-installation-'));
  store = await open();
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

function open(): Promise<QuorumNode> {
  const time = new ManualTime();
  return openMetadata({ dataDir: folder, nodeId: 'node-1', clock: time, timer: time });
}

it('records the first installation and refuses every other, over restarts', async () => {
  await recordInstallation(store, 'main/one');
  await recordInstallation(store, 'main/one');
  await store.close();
  store = await open();
  await recordInstallation(store, 'main/one');
  const other = recordInstallation(store, 'main/two');
  await expect(other).rejects.toThrow(ForeignInstallationError);
  await expect(other).rejects.toThrow(
    /belongs to installation main\/one, but PostgreSQL holds installation main\/two: give the node back its own PostgreSQL, or, .*`pawl metadata adopt`/,
  );
});

it('takes another once the store was adopted, and then only that', async () => {
  await recordInstallation(store, 'main/one');
  expect(await raiseEpoch(store)).toBe(2);
  await recordInstallation(store, 'main/two');
  await expect(recordInstallation(store, 'main/one')).rejects.toThrow(/belongs to .* main\/two/);
});
