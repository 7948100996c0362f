import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { address } from '@pawl/contracts';
import type { Prepare, Push, Snapshot } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import type { ContentCollection, SnapshotPublisher } from '@pawl/engine';
import { sampleSnapshot } from './sample-snapshot.js';
import type { SampleSnapshot } from './sample-snapshot.js';

/** One implementation of `SnapshotPublisher` over an empty store, as the suite looks at it. */
export interface PublisherSubject {
  readonly publisher: SnapshotPublisher;
  /** Whose it is, as `<name>/<id>`. */
  readonly installation: string;
  /** A second publisher, of another node, over the same store. */
  readonly other: SnapshotPublisher;
  /** What a consumer would read. */
  readContent(root: string, hash: string): Promise<string | undefined>;
  /** The next push to an address; resolves once it is being waited for. */
  nextPush(at: string): Promise<{ readonly push: Promise<Push> }>;
  /** The same of what consumers of an address are asked. */
  nextPrepare(at: string): Promise<{ readonly prepare: Promise<Prepare> }>;
  close(): Promise<void>;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const PROD = address('acme/prod');

/** A collection by an owner that stays one. */
const collection = (
  olderThanMs: number,
  referenced: readonly string[] = [],
): ContentCollection => ({
  referenced: new Set(referenced),
  olderThanMs,
  isOwner: async () => true,
});

/** What every `SnapshotPublisher` promises; `make` gives one that is prepared. */
export function describeSnapshotPublisher(
  name: string,
  make: () => Promise<PublisherSubject>,
): void {
  describe(`${name} as a SnapshotPublisher`, () => {
    let subject: PublisherSubject;
    let publisher: SnapshotPublisher;
    const sample = (options: SampleSnapshot = {}): Snapshot =>
      sampleSnapshot({ installation: subject.installation, ...options });

    beforeEach(async () => {
      subject = await make();
      publisher = subject.publisher;
    });
    afterEach(() => subject.close());

    it('is healthy once prepared, and can be prepared again', async () => {
      await publisher.prepare();
      expect(publisher.healthy()).toBe(true);
    });

    describe('snapshots', () => {
      it('reads nothing where nothing was published', async () => {
        expect(await publisher.read(PROD)).toBeUndefined();
      });

      it('reads what was stored, from any node', async () => {
        const snapshot = sample({ content: { limits: { maxItems: 5 } } });
        expect(await publisher.publish(PROD, snapshot)).toEqual({ kind: 'stored' });
        expect(await publisher.read(PROD)).toEqual(snapshot);
        expect(await subject.other.read(PROD)).toEqual(snapshot);
      });

      it('takes a snapshot that is there for the same, whatever its token and time', async () => {
        await publisher.publish(PROD, sample());
        const again: Snapshot = {
          ...sample(),
          fencingToken: '77',
          publishedAt: '2027-01-01T00:00:00.000Z',
        };
        expect(await subject.other.publish(PROD, again)).toEqual({ kind: 'same' });
        expect(await publisher.read(PROD)).toEqual(sample());
      });

      it('replaces an older one and is not replaced by it', async () => {
        const [older, newer] = [sample({ version: 3 }), sample({ version: 7 })];
        await publisher.publish(PROD, older);
        expect(await subject.other.publish(PROD, newer)).toEqual({ kind: 'stored' });
        expect(await publisher.publish(PROD, older)).toEqual({ kind: 'conflict', held: newer });
        expect(await publisher.read(PROD)).toEqual(newer);
      });

      it('calls an equal version with another hash a conflict', async () => {
        const held = sample({ mark: 'first' });
        await publisher.publish(PROD, held);
        const outcome = await subject.other.publish(PROD, sample({ mark: 'second' }));
        expect(outcome).toEqual({ kind: 'conflict', held });
        expect(await publisher.read(PROD)).toEqual(held);
      });

      it('lets a higher generation replace any version, never the other way', async () => {
        const restored = sample({ generation: 2, version: 1 });
        await publisher.publish(PROD, sample({ version: 90 }));
        expect(await publisher.publish(PROD, restored)).toEqual({ kind: 'stored' });
        const outcome = await publisher.publish(PROD, sample({ version: 91 }));
        expect(outcome).toEqual({ kind: 'conflict', held: restored });
      });

      it('keeps addresses apart', async () => {
        const texts = ['acme', 'acme/prod', 'acme:prod', 'acme/prod:config2', 'acme/prod/config'];
        for (const [index, at] of texts.entries()) {
          const snapshot = sample({ at, version: index + 1 });
          expect(await publisher.publish(address(at), snapshot)).toEqual({ kind: 'stored' });
        }
        for (const [index, at] of texts.entries()) {
          expect((await publisher.read(address(at)))?.version).toBe(index + 1);
        }
      });

      it('reads nothing of what was removed, and starts anew from any version', async () => {
        await publisher.remove(PROD, 1n);
        await publisher.publish(PROD, sample({ version: 9 }));
        await subject.other.remove(PROD, 1n);
        expect(await publisher.read(PROD)).toBeUndefined();
        expect(await publisher.publish(PROD, sample())).toEqual({ kind: 'stored' });
      });

      it('lets no former owner remove what the next one has published', async () => {
        const next = sample({ fencingToken: '12' });
        await publisher.publish(PROD, next);
        await subject.other.remove(PROD, 9n);
        expect(await publisher.read(PROD)).toEqual(next);
        await publisher.remove(PROD, 12n);
        expect(await publisher.read(PROD)).toBeUndefined();
      });

      it('lets exactly one of two racing publishers win each version', async () => {
        for (let version = 1; version <= 50; version += 1) {
          const left = sample({ version, mark: 'left' });
          const right = sample({ version, mark: 'right' });
          const outcomes = await Promise.all([
            publisher.publish(PROD, left),
            subject.other.publish(PROD, right),
          ]);
          const winner = outcomes[0].kind === 'stored' ? left : right;
          const lost = { kind: 'conflict', held: winner };
          expect(outcomes).toEqual(
            winner === left ? [{ kind: 'stored' }, lost] : [lost, { kind: 'stored' }],
          );
          expect(await publisher.read(PROD)).toEqual(winner);
        }
      });

      it('ends at the newest when many versions arrive in any order', async () => {
        const versions = Array.from({ length: 30 }, (_, index) => ((index * 7) % 30) + 1);
        await Promise.all(
          versions.map((version, index) => {
            const by = index % 2 === 0 ? publisher : subject.other;
            return by.publish(PROD, sample({ version })).catch(() => undefined);
          }),
        );
        await publisher.publish(PROD, sample({ version: 30 }));
        expect((await publisher.read(PROD))?.version).toBe(30);
      });
    });

    describe('pushes', () => {
      it('carry the snapshot when all of it is inline', async () => {
        const snapshot = sample({ content: { a: 1 } });
        const { push } = await subject.nextPush('acme/prod');
        publisher.push(PROD, snapshot);
        const { generation, version, hash } = snapshot;
        expect(await push).toEqual({
          format: 1,
          address: 'acme/prod',
          generation,
          version,
          hash,
          snapshot,
        });
      });

      it('carry it when it is absent, and when its content is apart and it is small', async () => {
        const absent = await subject.nextPush('acme/prod');
        publisher.push(PROD, sample({ content: null }));
        expect((await absent.push).snapshot).toBeDefined();
        const apart = await subject.nextPush('acme/prod');
        publisher.push(PROD, sample({ content: '{"large":true}' }));
        expect((await apart.push).snapshot).toBeDefined();
        const large = sample({ content: '{"large":true}' });
        const named = Array.from({ length: 500 }, (_, slot) => `checkout/${slot}`);
        const stages = [{ basisPoints: 0, named }];
        const releases = [{ id: 'r1', address: 'acme', salt: 'r1', stages }];
        const long = await subject.nextPush('acme/prod');
        publisher.push(PROD, { ...large, releases });
        expect((await long.push).snapshot).toBeUndefined();
      });
    });

    it('asks consumers of an address what they are to be asked', async () => {
      const message: Prepare = {
        ...{ format: 1, installation: subject.installation, id: 'p1', address: 'acme/prod' },
        ...{ fencingToken: '7', version: 4, hash: sha256('{}'), size: 2, inline: {} },
        ...{ deadlineMs: 2_000, only: ['i1'] },
      };
      const { prepare } = await subject.nextPrepare('acme/prod');
      publisher.askToPrepare(PROD, message);
      expect(await prepare).toEqual(message);
    });

    describe('contents', () => {
      const store = async (text: string, root = 'acme'): Promise<string> => {
        await publisher.storeContent(root, sha256(text), text);
        return sha256(text);
      };

      it('are readable when stored, and storing them again succeeds', async () => {
        const text = JSON.stringify({ text: 'x'.repeat(20_000) });
        const hash = await store(text);
        await Promise.all([
          publisher.storeContent('acme', hash, text),
          subject.other.storeContent('acme', hash, text),
        ]);
        expect(await subject.readContent('acme', hash)).toBe(text);
      });

      it('are each root’s own', async () => {
        const hash = await store('{"a":1}');
        expect(await subject.readContent('other', hash)).toBeUndefined();
      });

      it('are collected when nothing names them, in their root only', async () => {
        const named = await store('{"named":true}');
        const unnamed = await store('{"named":false}');
        const elsewhere = await store('{"named":false}', 'other');
        expect(await publisher.collectContents('acme', collection(0, [named]))).toBe(1);
        expect(await subject.readContent('acme', named)).toBe('{"named":true}');
        expect(await subject.readContent('acme', unnamed)).toBeUndefined();
        expect(await subject.readContent('other', elsewhere)).toBe('{"named":false}');
        expect(await publisher.collectContents('acme', collection(0, [named]))).toBe(0);
      });

      it('are kept while a stored snapshot names them, also of an address that nobody knows', async () => {
        const snapshot = sample({ content: '{"large":true}' });
        const { hash } = snapshot.variants['']!;
        await publisher.storeContent('acme', hash, '{"large":true}');
        await publisher.publish(PROD, snapshot);
        const unnamed = await store('{"named":false}');
        expect(await publisher.collectContents('acme', collection(0))).toBe(1);
        expect(await subject.readContent('acme', unnamed)).toBeUndefined();
        expect(await subject.readContent('acme', hash)).toBe('{"large":true}');
        await publisher.remove(PROD, 1n);
        expect(await publisher.collectContents('acme', collection(0))).toBe(1);
      });

      it('are kept by one who no longer owns the shard once all is looked through', async () => {
        const hash = await store('{"named":"by the next owner"}');
        let asked = 0;
        const isOwner = async () => (asked += 1) === 0;
        const collected = publisher.collectContents('acme', { ...collection(0), isOwner });
        expect([await collected, asked]).toEqual([0, 1]);
        expect(await subject.readContent('acme', hash)).toBe('{"named":"by the next owner"}');
      });

      it('are kept while they are young', async () => {
        const hash = await store('{"young":true}');
        expect(await publisher.collectContents('acme', collection(DAY_MS))).toBe(0);
        expect(await subject.other.collectContents('acme', collection(DAY_MS))).toBe(0);
        expect(await subject.readContent('acme', hash)).toBe('{"young":true}');
      });

      it('can be stored again after they were collected', async () => {
        const hash = await store('{"again":1}');
        expect(await publisher.collectContents('acme', collection(0))).toBe(1);
        await store('{"again":1}');
        expect(await subject.readContent('acme', hash)).toBe('{"again":1}');
      });

      it('of a root without any are none to collect', async () => {
        expect(await publisher.collectContents('nobody', collection(0))).toBe(0);
      });
    });
  });
}
