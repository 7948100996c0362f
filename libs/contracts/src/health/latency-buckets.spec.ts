import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LATENCY_BOUNDS_MS,
  LATENCY_BUCKETS,
  latencyBucketOf,
  quantileOf,
} from './latency-buckets.js';

const SEED = 20_261_129;

function countAll(latencies: readonly number[]): number[] {
  const buckets = Array.from({ length: LATENCY_BUCKETS }, () => 0);
  for (const each of latencies) buckets[latencyBucketOf(each)]! += 1;
  return buckets;
}

describe('buckets of latencies', () => {
  it('have bounds that every implementation shares', () => {
    expect(LATENCY_BUCKETS).toBe(34);
    const doubling = LATENCY_BOUNDS_MS.filter((_, index) => index % 2 === 0);
    expect(doubling).toEqual(Array.from({ length: 17 }, (_, n) => 2 ** (n - 1)));
    expect(LATENCY_BOUNDS_MS[3]).toBeCloseTo(Math.SQRT2, 12);
  });

  it('take what is up to their bound', () => {
    expect(latencyBucketOf(0)).toBe(0);
    expect(latencyBucketOf(0.5)).toBe(0);
    expect(latencyBucketOf(1)).toBe(2);
    expect(latencyBucketOf(1.001)).toBe(3);
    expect(latencyBucketOf(32_768)).toBe(LATENCY_BUCKETS - 2);
    expect(latencyBucketOf(32_769)).toBe(LATENCY_BUCKETS - 1);
    expect(latencyBucketOf(Number.MAX_VALUE)).toBe(LATENCY_BUCKETS - 1);
  });
});

describe('a quantile', () => {
  it('is nothing where nothing was counted', () => {
    expect(quantileOf([], 0.5)).toBeNull();
    expect(quantileOf([0, 0], 0.99)).toBeNull();
  });

  it('is read within a bucket, and no higher than the last bound', () => {
    expect(quantileOf([0, 0, 0, 0, 10], 1)).toBeCloseTo(2, 12);
    expect(quantileOf([100], 0.5)).toBeCloseTo(0.25, 12);
    expect(quantileOf(countAll([50_000, 60_000]), 0.5)).toBe(32_768);
  });

  it('lies in the bucket of the true one, and never falls as the part grows', () => {
    const latency = fc.double({ min: 0, max: 32_000, noNaN: true });
    const holds = fc.property(
      fc.array(latency, { minLength: 1, maxLength: 200 }),
      fc.constantFrom(0, 0.01, 0.5, 0.9, 0.99, 1),
      (latencies, q) => {
        const buckets = countAll(latencies);
        const sorted = [...latencies].sort((a, b) => a - b);
        const truth = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
        const found = quantileOf(buckets, q)!;
        const bucket = latencyBucketOf(truth);
        expect(found).toBeGreaterThanOrEqual(LATENCY_BOUNDS_MS[bucket - 1] ?? 0);
        expect(found).toBeLessThanOrEqual(LATENCY_BOUNDS_MS[bucket]! + 1e-9);
        expect(quantileOf(buckets, Math.min(1, q + 0.1))!).toBeGreaterThanOrEqual(found);
      },
    );
    fc.assert(holds, { seed: SEED, numRuns: 200 });
  });
});
