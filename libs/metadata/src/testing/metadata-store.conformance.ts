import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { MetadataStore } from '../metadata-store.port.js';
import { prefixRange } from '../state/index.js';
import { textToBytes } from '../text.js';
import { compactionConformance } from './compaction.conformance.js';
import { Scene } from './conformance-scene.js';
import { leaseConformance } from './lease.conformance.js';
import { rangeConformance } from './range.conformance.js';
import { txnConformance } from './txn.conformance.js';
import { watchConformance } from './watch.conformance.js';

export interface StoreUnderTest {
  readonly store: MetadataStore;
  /** Ends it, after which it may still be asked. */
  close(): Promise<void>;
}

/**
 * What every {@link MetadataStore} must do. `open` gives an empty store, which many tests share; times
 * are real, so that the suite runs on stores with a clock of their own.
 */
export function metadataStoreConformance(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a MetadataStore`, () => {
    let subject: StoreUnderTest;
    let scenes = 0;

    beforeAll(async () => {
      subject = await open();
    });

    afterAll(() => subject.close());

    const scene = async (): Promise<Scene> => {
      scenes += 1;
      const { revision } = await subject.store.status();
      return new Scene(subject.store, `${scenes}/`, revision);
    };

    txnConformance(scene);
    rangeConformance(scene);
    leaseConformance(scene);
    watchConformance(scene);
    compactionConformance(scene);

    it('says who is in the cluster, who leads, and what it holds', async () => {
      const s = await scene();
      await s.done(s.put('k', 'v'.repeat(100_000)));
      const status = await s.store.status();
      expect(status.members).toContain(status.leader);
      expect(status.clusterId).not.toBe('');
      expect(status.term).toBeGreaterThan(0);
      expect(status.revision).toBe(s.start + 1);
      expect(status.sizeBytes).toBeGreaterThan(100_000);
    });

    it('begins at revision 1, and is gone once it is closed', async () => {
      const fresh = await open();
      const { store } = fresh;
      const all = prefixRange(textToBytes(''));
      expect(await store.status()).toMatchObject({ revision: 1, compactRevision: 0 });
      expect(await store.range(all)).toMatchObject({ ok: true, revision: 1, count: 0 });
      const s = new Scene(store, '', 1);
      expect(await s.write(s.put('a'))).toMatchObject({ ok: true, revision: 2 });
      const next = store
        .watch({ ...all, fromRevision: 3 })
        [Symbol.asyncIterator]()
        .next();
      const failed = expect(next).rejects.toBeInstanceOf(MetadataUnavailableError);
      await fresh.close();
      await failed;
      const gone = { name: 'MetadataUnavailableError', done: 'no' };
      await expect(s.write(s.put('a'))).rejects.toMatchObject(gone);
      await expect(store.range(all)).rejects.toMatchObject(gone);
      await expect(store.grantLease(5000)).rejects.toMatchObject(gone);
      await expect(store.keepAlive(1n)).rejects.toMatchObject(gone);
      await expect(store.revokeLease(1n)).rejects.toMatchObject(gone);
      await expect(store.compact(1)).rejects.toMatchObject(gone);
    });
  });
}
