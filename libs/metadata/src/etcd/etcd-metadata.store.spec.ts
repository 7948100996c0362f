import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { serveEtcd } from '../etcd-api/index.js';
import type { EtcdServer } from '../etcd-api/index.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { openMetadata } from '../quorum/open-metadata.js';
import { NO_LEASE, prefixRange } from '../state/index.js';
import type { Operation } from '../state/index.js';
import { metadataStoreConformance } from '../testing/metadata-store.conformance.js';
import { systemTime } from '../testing/system-time.js';
import { bytesToText, textToBytes } from '../text.js';
import { openEtcdMetadata } from './etcd-metadata.store.js';
import { startDropping } from './scripted-etcd.fixture.js';

const time = { clock: systemTime, timer: systemTime };

/** One node of ours, behind as many endpoints as the store is to know. */
async function openBehind(endpoints: number) {
  const dataDir = await mkdtemp(join(tmpdir(), 'pawl-adapter-'));
  const node = await openMetadata({ ...time, dataDir, nodeId: 'n1', keepRevisions: 1_000_000 });
  const log: string[] = [];
  const serve = (port = 0): Promise<EtcdServer> =>
    serveEtcd({
      node,
      port,
      timer: systemTime,
      limits: { closeMs: 50 },
      log: (text) => log.push(text),
    });
  const servers = await Promise.all(Array.from({ length: endpoints }, () => serve()));
  const ports = servers.map(({ address }) => address.port);
  const store = await openEtcdMetadata({
    ...time,
    endpoints: ports.map((port) => `127.0.0.1:${port}`),
  });
  return {
    node,
    store,
    log,
    /** Ends one endpoint; or starts it again. */
    stop: (at: number) => servers[at]!.close(),
    start: async (at: number) => {
      servers[at] = await serve(ports[at]);
    },
    close: async () => {
      await store.close();
      await Promise.all(servers.map((server) => server.close()));
      await node.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

metadataStoreConformance('our own coordination API', () => openBehind(1));

const put = (key: string, value: string): Operation => ({
  kind: 'put',
  key: textToBytes(key),
  value: textToBytes(value),
  lease: NO_LEASE,
});
const everything = prefixRange(textToBytes(''));

describe('a store on several endpoints of a cluster', () => {
  it('goes on at another when the one that it talks to ends: calls, and watches without a gap', async () => {
    const bench = await openBehind(3);
    const { store } = bench;
    const told: string[] = [];
    const watch = store.watch({ ...everything, fromRevision: 2 });
    const WRITES = 30;
    const read = (async () => {
      for await (const { revision, events } of watch) {
        told.push(...events.map(({ kv }) => `${revision} ${bytesToText(kv.value)}`));
        if (told.length >= WRITES) return;
      }
    })();
    for (let at = 0; at < WRITES; at += 1) {
      const done = await store.txn({ compare: [], success: [put('k', `${at}`)], failure: [] });
      expect(done).toMatchObject({ ok: true, revision: at + 2 });
      // Each in turn, so that whichever it talks to ends at some time.
      if (at % 10 === 3) await bench.stop(Math.floor(at / 10));
      if (at % 10 === 7) await bench.start(Math.floor(at / 10));
    }
    await read;
    expect(told).toEqual(Array.from({ length: WRITES }, (_, at) => `${at + 2} ${at}`));
    expect(bench.log).toEqual([]);
    await bench.close();
  });

  it('has its watches wait while no endpoint is there, and go on from where each was', async () => {
    const bench = await openBehind(1);
    const [early, late] = [
      bench.store.watch({ key: textToBytes('a'), fromRevision: 2 }),
      bench.store.watch({ key: textToBytes('b'), fromRevision: 2 }),
    ].map((watch) => ({ watch, events: watch[Symbol.asyncIterator]() }));
    const write = (key: string) =>
      bench.node.txn(
        { compare: [], success: [put(`u${key}`, '')], failure: [] },
        { origin: 'user' },
      );
    await write('a');
    expect(await early!.events.next()).toMatchObject({ value: { revision: 2 } });
    await bench.stop(0);
    for (const key of ['a', 'b', 'a']) await write(key);
    await bench.start(0);
    expect(await early!.events.next()).toMatchObject({ value: { revision: 3 } });
    expect(await early!.events.next()).toMatchObject({ value: { revision: 5 } });
    expect(await late!.events.next()).toMatchObject({ value: { revision: 4 } });
    await bench.close();
    await expect(early!.events.next()).rejects.toBeInstanceOf(MetadataUnavailableError);
  });

  it('ends a watch whose place was compacted while no endpoint was there', async () => {
    const bench = await openBehind(1);
    const watch = bench.store.watch({ ...everything, fromRevision: 2 });
    const events = watch[Symbol.asyncIterator]();
    const write = () => bench.node.txn({ compare: [], success: [put('uk', '')], failure: [] });
    await write();
    expect(await events.next()).toMatchObject({ value: { revision: 2 } });
    await bench.stop(0);
    for (let at = 0; at < 5; at += 1) await write();
    await bench.node.compact(6);
    await bench.start(0);
    await expect(events.next()).rejects.toMatchObject({
      name: 'WatchCompactedError',
      compactRevision: 6,
    });
    await bench.close();
  });

  it('cannot be opened where nobody answers', async () => {
    const nobody = await startDropping();
    const opened = openEtcdMetadata({ ...time, endpoints: [nobody.address], callTimeoutMs: 200 });
    await expect(opened).rejects.toMatchObject({ name: 'MetadataUnavailableError', done: 'no' });
    await nobody.stop();
  });
});
