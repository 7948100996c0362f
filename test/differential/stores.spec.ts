import { seededRng } from '@pawl/kernel';
import { openEtcdMetadata, openMetadata } from '@pawl/metadata';
import type { MetadataStore, StoreStatus } from '@pawl/metadata';
import { systemTime } from '@pawl/metadata/testing';
import { prefixRange } from '@pawl/metadata/state';
import { describe, expect, it } from 'vitest';
import { startEtcd } from '../support/etcd.js';
import { makeTemporaryFolder } from '../support/temporary-folder.js';
import { assertSame } from './plain.js';
import { RandomRequests } from './random-requests.js';
import { WatchPair } from './recorded-watch.js';
import { differentialSeeds } from './seeds.js';

const STEPS = 300;
const TIMEOUT_MS = 300_000;
/** Reads that are asked at once after each write. */
const READS = 3;
const MOST_WATCHES = 24;
const ALL = prefixRange(Buffer.from(''));

interface Stores {
  readonly ours: MetadataStore;
  readonly theirs: MetadataStore;
  close(): Promise<void>;
}

async function openBoth(): Promise<Stores> {
  const [etcd, folder] = await Promise.all([startEtcd(), makeTemporaryFolder('differential')]);
  const time = { clock: systemTime, timer: systemTime };
  const ours = await openMetadata({
    ...time,
    dataDir: folder.path,
    nodeId: 'n1',
    keepRevisions: 1_000_000,
  });
  const theirs = await openEtcdMetadata({ ...time, endpoints: etcd.endpoints });
  return {
    ours,
    theirs,
    close: async () => {
      await Promise.all([ours.close(), theirs.close()]);
      await Promise.all([etcd.stop(), folder.remove()]);
    },
  };
}

/** Asks both stores the same, and counts what they answered. */
class Comparison {
  readonly counts: Record<string, number> = {};
  readonly #watches = new Set<WatchPair>();
  #status: Pick<StoreStatus, 'revision' | 'compactRevision'> = { revision: 1, compactRevision: 0 };

  constructor(
    private readonly stores: Stores,
    private readonly requests: RandomRequests,
  ) {}

  get calls(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  async step(): Promise<void> {
    const { requests } = this;
    await this.#write();
    const history = this.#status;
    await Promise.all(
      Array.from({ length: READS }, () => {
        const request = requests.range(history);
        return this.both('range', request, (store) => store.range(request));
      }),
    );
    if (requests.chance(3)) await this.#watch();
    if (requests.chance(2)) await this.#compact();
  }

  async #write(): Promise<void> {
    const { requests } = this;
    const [id, ttlMs] = [requests.lease(), requests.ttlMs()];
    const kind = requests.pick(WRITES);
    if (kind === 'grant') {
      await this.both('grantLease', { id, ttlMs }, (store) => store.grantLease(ttlMs, id));
    } else if (kind === 'revoke') {
      await this.both('revokeLease', { id }, (store) => store.revokeLease(id));
    } else if (kind === 'keep') {
      await this.both('keepAlive', { id }, (store) => store.keepAlive(id));
    } else {
      const txn = requests.txn(this.#status);
      await this.both('txn', txn, (store) => store.txn(txn));
    }
  }

  async #watch(): Promise<void> {
    const { requests } = this;
    const { compactRevision } = this.#status;
    for (const pair of this.#watches) {
      if (this.#watches.size < MOST_WATCHES / 2) break;
      pair.close();
      this.#watches.delete(pair);
    }
    while (this.#watches.size < MOST_WATCHES) {
      const fromRevision = requests.chance(20) ? 0 : requests.revision(this.#status);
      const request = { ...requests.watched(), fromRevision };
      this.#watches.add(new WatchPair(this.stores, request, compactRevision));
      this.#count('watch');
    }
    await this.settle();
  }

  /** What was told before is compared first: what was there before is told only while it is kept. */
  async #compact(): Promise<void> {
    await this.settle();
    const revision = this.requests.revision(this.#status);
    await this.both('compact', { revision }, (store) => store.compact(revision));
  }

  async settle(): Promise<void> {
    const txn = this.requests.everything();
    await this.both('txn', txn, (store) => store.txn(txn));
    for (const pair of this.#watches) {
      const { ours, theirs } = await pair.upTo(this.#status.revision);
      assertSame(ours, theirs, pair.request);
      if (!pair.ended) continue;
      this.#watches.delete(pair);
      this.#count('watch compacted');
    }
    const [ours, theirs] = [await this.stores.ours.status(), await this.stores.theirs.status()];
    const { revision, compactRevision } = this.#status;
    expect(ours).toMatchObject({ revision, compactRevision });
    // etcd does not tell it; that nothing and that revision 1 was compacted cannot be told apart.
    const found = compactRevision === 1 ? 0 : compactRevision;
    expect(theirs).toMatchObject({ revision, compactRevision: found });
  }

  /** Everything from the first revision that is kept. */
  async history(): Promise<number> {
    const { compactRevision } = this.#status;
    const request = { ...ALL, fromRevision: Math.max(1, compactRevision) };
    const pair = new WatchPair(this.stores, request, compactRevision);
    const { ours, theirs } = await pair.upTo(this.#status.revision);
    assertSame(ours, theirs, request);
    pair.close();
    return ours.told.reduce((sum, { events }) => sum + events.length, 0);
  }

  close(): void {
    for (const pair of this.#watches) pair.close();
  }

  async both<Result extends { readonly ok: boolean; readonly revision?: number }>(
    name: string,
    request: unknown,
    ask: (store: MetadataStore) => Promise<Result>,
  ): Promise<void> {
    const [ours, theirs] = await Promise.all([ask(this.stores.ours), ask(this.stores.theirs)]);
    assertSame(ours, theirs, { name, request });
    const refusal = 'refusal' in ours ? ` ${ours.refusal}` : '';
    this.#count(`${name}${refusal}`);
    const { revision = this.#status.revision } = ours;
    const compacted = name === 'compact' && ours.ok;
    this.#status = {
      revision,
      compactRevision: compacted
        ? (request as { revision: number }).revision
        : this.#status.compactRevision,
    };
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

/** One in eight is about leases. */
const WRITES = [...Array.from({ length: 21 }, () => 'txn'), 'grant', 'revoke', 'keep'];

describe('the embedded quorum and etcd, asked the same', () => {
  it.concurrent.each(differentialSeeds())(
    'answer the same (seed %i)',
    async (seed) => {
      const stores = await openBoth();
      try {
        const comparison = new Comparison(stores, new RandomRequests(seededRng(seed)));
        for (let step = 0; step < STEPS; step += 1) await comparison.step();
        await comparison.settle();
        const events = await comparison.history();
        comparison.close();
        console.log(`seed ${seed}: ${comparison.calls} calls, ${events} events`, comparison.counts);
      } finally {
        await stores.close();
      }
    },
    TIMEOUT_MS,
  );
});
