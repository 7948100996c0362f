import { ManualTime } from '@pawl/kernel';
import { SimulatedFolder } from '@pawl/raft/testing';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MetadataUnavailableError, WatchCompactedError, openMetadata } from '../index.js';
import type { MetadataOptions } from '../index.js';
import { NO_LEASE, prefixRange } from '../state/index.js';
import type { Operation } from '../state/index.js';
import { metadataStoreConformance } from '../testing/index.js';
import { systemTime } from '../testing/system-time.js';
import { bytesToText, textToBytes } from '../text.js';
import { openMetadataOn } from './open-metadata.js';
import type { QuorumNode } from './quorum-node.js';

const put = (key: string, value = '', lease = NO_LEASE): Operation => ({
  kind: 'put',
  key: textToBytes(key),
  value: textToBytes(value),
  lease,
});
const write = (store: QuorumNode, ...success: Operation[]) =>
  store.txn({ compare: [], success, failure: [] });
const everything = prefixRange(textToBytes(''));

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pawl-metadata-'));
});

afterEach(() => rm(dataDir, { recursive: true, force: true }));

const onDisk = (options: Partial<MetadataOptions> = {}): Promise<QuorumNode> =>
  openMetadata({ dataDir, nodeId: 'n1', clock: systemTime, timer: systemTime, ...options });

metadataStoreConformance('the embedded quorum', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pawl-metadata-'));
  const store = await onDisk({ dataDir: folder });
  return {
    store,
    close: async () => {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

/** A store in memory, under time that the test moves. */
async function inMemory(
  options: Partial<MetadataOptions> = {},
  folder = SimulatedFolder.empty(),
): Promise<{ store: QuorumNode; time: ManualTime; folder: SimulatedFolder }> {
  const time = new ManualTime();
  const store = await openMetadataOn(folder, {
    nodeId: 'n1',
    clock: time,
    timer: time,
    ...options,
  });
  return { store, time, folder };
}

async function keysOf(store: QuorumNode): Promise<string[]> {
  const content = await store.range(everything);
  return content.ok ? content.kvs.map(({ key }) => bytesToText(key)) : [];
}

/** Lets everything that waits only on memory happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Moves time in steps, letting everything happen that follows from each. */
async function pass(time: ManualTime, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    time.advance(Math.min(50, left));
    await settle();
  }
}

describe('a store on disk', () => {
  it('has everything after a restart: keys, revisions, leases, history, identity', async () => {
    const first = await onDisk({ raft: { snapshotEntries: 5, segmentBytes: 2000 } });
    const lease = await first.grantLease(60_000);
    if (!lease.ok) throw new Error(lease.refusal);
    for (let at = 0; at < 23; at += 1) await write(first, put(`k${at % 4}`, `${at}`, lease.id));
    await first.compact(10);
    const [before, history] = [
      await first.range(everything),
      await first.range({ ...everything, revision: 11 }),
    ];
    const identity = [first.clusterId, first.folderId];
    await first.close();
    const second = await onDisk();
    expect(await second.range(everything)).toEqual(before);
    expect(await second.range({ ...everything, revision: 11 })).toEqual(history);
    expect([second.clusterId, second.folderId]).toEqual(identity);
    expect(await second.keepAlive(lease.id)).toMatchObject({ ok: true, ttlMs: 60_000 });
    expect(await second.status()).toMatchObject({ leader: 'n1', term: 2, compactRevision: 10 });
    await second.close();
    expect((await readdir(dataDir)).filter((name) => name.startsWith('lock'))).toEqual([]);
  });

  it('is held by one process, and left as it was by one that is refused', async () => {
    const store = await onDisk();
    await expect(onDisk()).rejects.toThrow(/in use by process/);
    await store.close();
    await expect(onDisk({ nodeId: 'n2' })).rejects.toThrow(/belongs to node "n1"/);
    await expect(onDisk({ clusterId: 'other' })).rejects.toThrow(/belongs to cluster/);
    const again = await onDisk();
    await again.close();
  });

  it('writes nothing in the clear that another format would misread', async () => {
    const store = await onDisk();
    await store.close();
    const [name = ''] = (await readdir(dataDir)).filter((file) => file.startsWith('wal-'));
    const bytes = await readFile(join(dataDir, name));
    expect(bytes.subarray(0, 12).toString('latin1')).toBe('PAWL-WAL\u0001\0\0\0');
  });
});

describe('leases', () => {
  it('live their full TTL after the last renewal, and no shorter', async () => {
    const { store, time } = await inMemory();
    const lease = await store.grantLease(5000);
    if (!lease.ok) throw new Error(lease.refusal);
    await write(store, put('k', '', lease.id));
    for (let round = 0; round < 4; round += 1) {
      time.advance(4999);
      await settle();
      expect(await keysOf(store)).toEqual(['k']);
      expect(await store.keepAlive(lease.id)).toMatchObject({ ok: true });
    }
    time.advance(4999);
    await settle();
    expect(await keysOf(store)).toEqual(['k']);
    time.advance(1);
    await settle();
    expect(await keysOf(store)).toEqual([]);
    expect(await store.keepAlive(lease.id)).toMatchObject({ refusal: 'lease-not-found' });
  });

  it('end each at its own time', async () => {
    const { store, time } = await inMemory();
    for (const ttlMs of [5000, 5003, 5020]) {
      const lease = await store.grantLease(ttlMs);
      if (!lease.ok) throw new Error(lease.refusal);
      await write(store, put(`k${ttlMs}`, '', lease.id));
    }
    time.advance(5000);
    await settle();
    expect(await keysOf(store)).toEqual(['k5003', 'k5020']);
    time.advance(10);
    await settle();
    expect(await keysOf(store)).toEqual(['k5020']);
    time.advance(10);
    await settle();
    expect(await keysOf(store)).toEqual([]);
  });

  it('go on at a restart with what was recorded as left', async () => {
    const first = await inMemory();
    const lease = await first.store.grantLease(5000);
    if (!lease.ok) throw new Error(lease.refusal);
    await write(first.store, put('k', '', lease.id));
    await pass(first.time, 4000);
    const image = first.folder.crashed(first.folder.journal.length, { kind: 'lost' });
    const second = await inMemory({}, image);
    await pass(second.time, 950);
    expect(await keysOf(second.store)).toEqual(['k']);
    await pass(second.time, 2300);
    expect(await keysOf(second.store)).toEqual([]);
  });

  it('have a second more, once, when the process stood still', async () => {
    const time = new ManualTime();
    let skippedMs = 0;
    const clock = { wallMs: () => 0, monotonicMs: () => time.monotonicMs() + skippedMs };
    const { store } = await inMemory({ clock, timer: time });
    const lease = await store.grantLease(5000);
    if (!lease.ok) throw new Error(lease.refusal);
    await write(store, put('k', '', lease.id));
    skippedMs = 60_000;
    await pass(time, 1450);
    expect(await keysOf(store)).toEqual(['k']);
    skippedMs = 120_000;
    await pass(time, 100);
    expect(await keysOf(store)).toEqual([]);
  });

  it('answer a renewal that comes while they end by what then is true', async () => {
    const { store, time } = await inMemory();
    const lease = await store.grantLease(5000);
    if (!lease.ok) throw new Error(lease.refusal);
    time.advance(5000);
    expect(await store.keepAlive(lease.id)).toMatchObject({ refusal: 'lease-not-found' });
  });
});

describe('watches', () => {
  it('cost no memory when nobody reads them, and end when history goes', async () => {
    const { store } = await inMemory({ keepRevisions: 20 });
    const watch = store.watch({ ...everything, fromRevision: 2 });
    for (let at = 0; at < 60; at += 1) await write(store, put('k', `${at}`));
    await settle();
    const { compactRevision } = await store.status();
    expect(compactRevision).toBeGreaterThan(10);
    const reader = watch[Symbol.asyncIterator]();
    await expect(reader.next()).rejects.toBeInstanceOf(WatchCompactedError);
  });

  it('that are read keep up, whatever others see, through compaction', async () => {
    const { store } = await inMemory({ keepRevisions: 20 });
    const seen: number[] = [];
    const [busy, quiet] = [store.watch(everything), store.watch({ key: textToBytes('quiet') })];
    const reading = (async () => {
      for await (const { revision } of busy) if (seen.push(revision) === 60) return;
    })();
    const first = quiet[Symbol.asyncIterator]().next();
    for (let at = 0; at < 60; at += 1) {
      await write(store, put('k', `${at}`));
      await settle();
    }
    await reading;
    expect(seen).toEqual(Array.from({ length: 60 }, (_, at) => at + 2));
    await write(store, put('quiet'));
    expect(await first).toMatchObject({ done: false, value: { revision: 62 } });
  });

  it('are bounded in number', async () => {
    const { store } = await inMemory({ maxWatches: 2 });
    const watches = [store.watch(everything), store.watch(everything)];
    expect(() => store.watch(everything)).toThrow(/more than 2 watches/);
    watches[0]?.close();
    store.watch(everything);
  });
});

describe('a disk that fails', () => {
  it('ends the store for good; what was not answered is unknown', async () => {
    const failures: string[] = [];
    const { store, folder } = await inMemory({
      onFailure: (error) => failures.push(error.message),
    });
    await write(store, put('a'));
    const watch = store.watch(everything)[Symbol.asyncIterator]().next();
    folder.before = ({ op }) => {
      if (op === 'sync') throw new Error('EIO');
    };
    const failed = expect(watch).rejects.toBeInstanceOf(MetadataUnavailableError);
    await expect(write(store, put('b'))).rejects.toMatchObject({ done: 'unknown' });
    folder.before = () => undefined;
    await failed;
    await expect(write(store, put('c'))).rejects.toMatchObject({ done: 'no' });
    await expect(store.range(everything)).rejects.toMatchObject({ done: 'no' });
    await expect(store.keepAlive(1n)).rejects.toMatchObject({ done: 'no' });
    expect((await store.status()).leader).toBeNull();
    expect(failures).toEqual(['node n1 stopped for good: EIO']);
    await store.close();
  });
});
