import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SnapshotRelease } from '../messages/snapshot.message.js';
import { parseMessage } from '../validate/index.js';
import { BUCKETS, bucketOf, cohortKey, cohortOf, isCandidate } from './cohort.js';
import type { ConsumerIdentity } from './cohort.js';

/** Worked out by another program in another language; what other languages' consumers are held to. */
const VECTORS = JSON.parse(
  readFileSync(new URL('../../testdata/cohorts.json', import.meta.url), 'utf8'),
) as {
  readonly buckets: readonly {
    readonly salt: string;
    readonly workload: string;
    readonly slot: number;
    readonly bucket: number;
  }[];
  readonly releases: Readonly<Record<string, SnapshotRelease>>;
  readonly cohorts: readonly {
    readonly releases: readonly string[];
    readonly consumer: ConsumerIdentity;
    readonly cohort: string;
  }[];
};

const at = (slot: number | null, labels: Record<string, string> = {}): ConsumerIdentity => ({
  workload: 'checkout',
  slot,
  labels,
});

const release = (...stages: SnapshotRelease['stages']): SnapshotRelease => ({
  id: 'r1',
  address: 'acme',
  salt: 'salt',
  stages,
});

describe('buckets', () => {
  it('are those of the vectors', () => {
    for (const { salt, workload, slot, bucket } of VECTORS.buckets) {
      expect(bucketOf(salt, workload, slot), `${salt}/${workload}/${slot}`).toBe(bucket);
    }
  });

  it('spread evenly, and for each salt in another order', () => {
    const orders = ['a', 'b'].map((salt) =>
      Array.from({ length: 1000 }, (_, slot) => bucketOf(salt, 'checkout', slot)),
    );
    for (const order of orders) {
      const low = order.filter((bucket) => bucket < BUCKETS / 10).length;
      expect(low).toBeGreaterThan(70);
      expect(low).toBeLessThan(130);
    }
    expect(orders[0]).not.toEqual(orders[1]);
  });
});

describe('cohorts', () => {
  it('are those of the vectors', () => {
    const seen = new Set<string>();
    for (const { releases, consumer, cohort } of VECTORS.cohorts) {
      const known = releases.map((id) => VECTORS.releases[id]!);
      expect(cohortOf(known, consumer), JSON.stringify([releases, consumer])).toBe(cohort);
      seen.add(cohort);
    }
    expect(seen.size).toBeGreaterThan(10);
  });

  it('take in whoever any stage takes, so that growing moves nobody out', () => {
    const stages = [
      { basisPoints: 0, named: ['checkout/3'] },
      { basisPoints: 2000, selector: { region: ['eu'] } },
      { basisPoints: 5000 },
    ];
    for (let slot = 0; slot < 200; slot += 1) {
      const consumer = at(slot, { region: slot % 2 === 0 ? 'eu' : 'us' });
      const taken = stages.map((_, last) =>
        isCandidate(release(...stages.slice(0, last + 1)), consumer),
      );
      expect(taken).toEqual([...taken].sort());
    }
  });

  it('have nobody without a slot, nor whose label only looks like one that is asked for', () => {
    expect(isCandidate(release({ basisPoints: BUCKETS }), at(null))).toBe(false);
    expect(isCandidate(release({ basisPoints: BUCKETS }), at(0))).toBe(true);
    const odd = release({ basisPoints: BUCKETS, selector: { toString: ['x'] } });
    expect(isCandidate(odd, at(0))).toBe(false);
    expect(isCandidate(odd, at(0, { toString: 'x' }))).toBe(true);
  });

  it('are named by the sorted ids of their releases', () => {
    expect(cohortKey([{ id: 'b' }, { id: 'a' }, { id: 'B' }])).toBe('B+a+b');
    expect(cohortKey([])).toBe('');
  });
});

describe('a snapshot with releases', () => {
  const layer = { address: 'acme', definitionVersion: 1, releaseVersion: 1, loweredAt: null };
  const snapshot = {
    format: 1,
    installation: 'main/x',
    address: 'acme/app',
    generation: 1,
    version: 1,
    fencingToken: '1',
    publishedAt: '2026-11-29T00:00:00.000Z',
    inputs: [{ ...layer, candidate: 2 }],
    variants: {},
    hash: 'a'.repeat(64),
  };
  const isTaken = (releases: unknown): boolean =>
    parseMessage('snapshot', { ...snapshot, releases }).ok;

  it('says what its stages take, and nothing else', () => {
    const stage = { basisPoints: 100, selector: { region: ['eu'] }, named: ['checkout/0'] };
    const good = { id: 'r1', address: 'acme', salt: 's', stages: [stage] };
    expect(isTaken([good])).toBe(true);
    expect(isTaken([good, good, good, good])).toBe(false);
    expect(isTaken([{ ...good, id: 'a+b' }])).toBe(false);
    for (const wrong of [
      { basisPoints: 10_001 },
      { basisPoints: 0.5 },
      { selector: {} },
      { basisPoints: 0, selector: { region: [] } },
      { basisPoints: 0, named: [7] },
    ]) {
      expect(isTaken([{ ...good, stages: [wrong] }]), JSON.stringify(wrong)).toBe(false);
    }
  });
});
