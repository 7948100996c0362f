import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualTime } from '@pawl/kernel';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openMetadata } from '../quorum/open-metadata.js';
import { bytesToText, textToBytes } from '../text.js';
import { NO_LEASE } from '../state/index.js';
import { EPOCH_KEY } from './ownership-keys.js';
import { raiseEpoch } from './raise-epoch.js';
import { encodeMark, markKey } from './shard-mark.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pawl-epoch-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function open() {
  const time = new ManualTime();
  return openMetadata({ dataDir: folder, nodeId: 'node-1', clock: time, timer: time });
}

it('raises the epoch by one each time, over restarts, also where none was made yet', async () => {
  for (const expected of [2, 3]) {
    const store = await open();
    expect(await raiseEpoch(store)).toBe(expected);
    await store.close();
  }
});

it('refuses to pass the highest epoch, and changes nothing', async () => {
  const store = await open();
  const value = textToBytes(String(2 ** 15 - 1));
  const success = [{ kind: 'put' as const, key: EPOCH_KEY, value, lease: NO_LEASE }];
  await store.txn({ compare: [], success, failure: [] });
  await expect(raiseEpoch(store)).rejects.toThrow('32,767');
  const found = await store.range({ key: EPOCH_KEY });
  expect(found.ok && found.kvs.map((kv) => bytesToText(kv.value))).toEqual(['32767']);
  await store.close();
});

it('forgets how far the shards of the former PostgreSQL had come, and nothing else', async () => {
  const store = await open();
  const beside = ['pawl.marks', 'pawl.marks0', 'pawl.mark/1'].map(textToBytes);
  const mark = encodeMark({ generation: 1, token: 5n, commits: 3n });
  const keys = [...[0, 7, 63].map(markKey), ...beside];
  await store.txn({
    compare: [],
    success: keys.map((key) => ({ kind: 'put', key, value: mark, lease: NO_LEASE })),
    failure: [],
  });
  await raiseEpoch(store);
  const left: boolean[] = [];
  for (const key of keys) {
    const found = await store.range({ key });
    left.push(found.ok && found.kvs.length === 1);
  }
  expect(left).toEqual([false, false, false, true, true, true]);
  await store.close();
});
