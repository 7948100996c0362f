import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MetadataStore, MetadataWatch } from '../metadata-store.port.js';
import { WatchCompactedError } from '../metadata-store.port.js';
import { NO_LEASE, prefixRange } from '../state/index.js';
import type { KeyValue, LeaseId, Operation } from '../state/index.js';
import { bytesToText, textToBytes } from '../text.js';

export interface StoreUnderTest {
  readonly store: MetadataStore;
  close(): Promise<void>;
}

export const put = (key: string, value = '', lease: LeaseId = NO_LEASE): Operation => ({
  kind: 'put',
  key: textToBytes(key),
  value: textToBytes(value),
  lease,
});
const get = (key: string): Operation => ({ kind: 'range', key: textToBytes(key) });
const remove = (key: string): Operation => ({ kind: 'delete', key: textToBytes(key) });
const all = prefixRange(textToBytes(''));

function texts(kvs: readonly KeyValue[]): string[] {
  return kvs.map(({ key, value }) => `${bytesToText(key)}=${bytesToText(value)}`);
}

/** Takes the next revisions of a watch as `revision:kind key=value` lines. */
async function take(watch: MetadataWatch, revisions: number): Promise<string[]> {
  const lines: string[] = [];
  const reader = watch[Symbol.asyncIterator]();
  for (let left = revisions; left > 0; left -= 1) {
    const next = await reader.next();
    if (next.done === true) return [...lines, 'end'];
    const { revision, events } = next.value;
    const changes = events.map(({ kind, kv }) => `${kind} ${texts([kv])[0]}`);
    lines.push(`${revision}:${changes.join(' ')}`);
  }
  return lines;
}

/**
 * What every {@link MetadataStore} must do. `open` gives an empty store; times are real, so that the
 * suite runs on stores with a clock of their own.
 */
export function metadataStoreConformance(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a MetadataStore`, () => {
    let subject: StoreUnderTest;
    let store: MetadataStore;

    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });

    afterEach(() => subject.close());

    const write = (...success: Operation[]) => store.txn({ compare: [], success, failure: [] });

    it('gives each transaction that writes one revision, the first one 2', async () => {
      expect(await write(put('a', '1'), put('b', '1'))).toMatchObject({ ok: true, revision: 2 });
      expect(await write(get('a'))).toMatchObject({ ok: true, revision: 2 });
      expect(await write(remove('nothing'))).toMatchObject({ ok: true, revision: 2 });
      expect(await write(put('a', '2'))).toMatchObject({ ok: true, revision: 3 });
      const { revision } = await store.status();
      expect(revision).toBe(3);
    });

    it('compares and swaps: of many at once exactly one creates a key', async () => {
      const attempts = Array.from({ length: 20 }, (_, at) =>
        store.txn({
          compare: [{ key: textToBytes('k'), target: 'create', operator: '=', value: 0 }],
          success: [put('k', `${at}`)],
          failure: [get('k')],
        }),
      );
      const results = await Promise.all(attempts);
      const winners = results.filter((result) => result.ok && result.succeeded);
      expect(winners).toHaveLength(1);
      const reads = results.flatMap((result) =>
        result.ok && !result.succeeded ? result.results : [],
      );
      const held = await store.range({ key: textToBytes('k') });
      expect(reads).toHaveLength(19);
      for (const read of reads)
        expect(read).toMatchObject({ kvs: held.ok ? held.kvs : null, count: 1 });
    });

    it('reads keys, prefixes and all, now and at a revision, with a limit', async () => {
      await write(put('a/1', 'x'), put('a/2', 'x'), put('b', 'x'));
      await write(put('a/1', 'y'), remove('b'));
      const now = await store.range(prefixRange(textToBytes('a/')));
      expect(now.ok && texts(now.kvs)).toEqual(['a/1=y', 'a/2=x']);
      const before = await store.range({ ...all, revision: 2, limit: 2 });
      expect(before).toMatchObject({ ok: true, revision: 3, count: 3 });
      expect(before.ok && texts(before.kvs)).toEqual(['a/1=x', 'a/2=x']);
      expect(await store.range({ ...all, revision: 9 })).toMatchObject({
        ok: false,
        refusal: 'future-revision',
      });
      const found = await store.range({ key: textToBytes('a/1') });
      expect(found.ok && found.kvs[0]).toMatchObject({
        createRevision: 2,
        modRevision: 3,
        version: 2,
        lease: 0n,
      });
    });

    it('refuses without changing anything', async () => {
      expect(await write(put('x'), put('y', '', 99n))).toMatchObject({
        ok: false,
        refusal: 'lease-not-found',
      });
      expect(await write(put(''))).toMatchObject({ ok: false, refusal: 'empty-key' });
      expect(await write(put('a'), put('a'))).toMatchObject({ refusal: 'duplicate-key' });
      expect(await store.range(all)).toMatchObject({ count: 0, revision: 1 });
    });

    it('tells a watch everything from a revision on, in order, each revision whole', async () => {
      await write(put('a/1', 'x'));
      await write(put('b', 'x'));
      const watch = store.watch({ ...prefixRange(textToBytes('a/')), fromRevision: 2 });
      await write(put('a/1', 'y'), put('b', 'y'), put('a/2', 'y'));
      await write(remove('a/1'));
      expect(await take(watch, 3)).toEqual([
        '2:put a/1=x',
        '4:put a/1=y put a/2=y',
        '5:delete a/1=',
      ]);
      const waiting = take(watch, 2);
      await write(put('a/3', 'z'));
      watch.close();
      expect(await waiting).toEqual(['6:put a/3=z', 'end']);
    });

    it('begins a watch with the next change when no revision is given', async () => {
      await write(put('a', '1'));
      const watch = store.watch({ key: textToBytes('a') });
      const next = take(watch, 1);
      await write(put('a', '2'));
      expect(await next).toEqual(['3:put a=2']);
      watch.close();
    });

    it('keeps the state at the compaction revision, and refuses what was before it', async () => {
      for (const value of ['1', '2', '3']) await write(put('a', value));
      expect(await store.compact(3)).toMatchObject({ ok: true });
      expect(await store.compact(3)).toMatchObject({ ok: false, refusal: 'compacted' });
      expect(await store.compact(9)).toMatchObject({ ok: false, refusal: 'future-revision' });
      expect(await store.range({ ...all, revision: 2 })).toMatchObject({ refusal: 'compacted' });
      expect(await store.range({ ...all, revision: 3 })).toMatchObject({ count: 1 });
      const late = store.watch({ ...all, fromRevision: 2 });
      await expect(take(late, 1)).rejects.toMatchObject(new WatchCompactedError(3));
      const kept = store.watch({ ...all, fromRevision: 3 });
      expect(await take(kept, 2)).toEqual(['3:put a=2', '4:put a=3']);
      kept.close();
    });

    it('deletes the keys of a revoked lease in one revision', async () => {
      const lease = await store.grantLease(60_000);
      if (!lease.ok) throw new Error(lease.refusal);
      await write(put('b', '', lease.id), put('a', '', lease.id), put('c'));
      const watch = store.watch(all);
      expect(await store.revokeLease(lease.id)).toMatchObject({ ok: true, revision: 3 });
      expect(await take(watch, 1)).toEqual(['3:delete a= delete b=']);
      expect(await store.revokeLease(lease.id)).toMatchObject({ refusal: 'lease-not-found' });
      expect(await store.keepAlive(lease.id)).toMatchObject({ refusal: 'lease-not-found' });
      watch.close();
    });

    it('ends a lease that is not renewed, and none that is', async () => {
      const [dying, kept] = [await store.grantLease(1000), await store.grantLease(2000)];
      if (!dying.ok || !kept.ok) throw new Error('granted');
      expect(dying.id).not.toBe(kept.id);
      await write(put('dying', '', dying.id), put('kept', '', kept.id));
      const watch = store.watch(all);
      const gone = take(watch, 1);
      const renewals = setInterval(() => void store.keepAlive(kept.id), 200);
      expect(await gone).toEqual(['3:delete dying=']);
      clearInterval(renewals);
      expect(await store.keepAlive(kept.id)).toMatchObject({ ok: true, ttlMs: 2000 });
      expect(await store.range({ key: textToBytes('kept') })).toMatchObject({ count: 1 });
      watch.close();
    });

    it('takes a lease id that is free, and only that', async () => {
      expect(await store.grantLease(60_000, 4711n)).toMatchObject({ ok: true, id: 4711n });
      expect(await store.grantLease(60_000, 4711n)).toMatchObject({ refusal: 'lease-exists' });
    });

    it('says who is in the cluster and who leads', async () => {
      const status = await store.status();
      expect(status.members).toContain(status.leader);
      expect(status.clusterId).not.toBe('');
      expect(status.term).toBeGreaterThan(0);
    });
  });
}
