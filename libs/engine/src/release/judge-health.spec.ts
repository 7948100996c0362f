import { LATENCY_BUCKETS, latencyBucketOf } from '@pawl/contracts';
import type { Gate } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import type { HealthSide, HealthSum } from '../status/even-out.js';
import { judgeHealth } from './judge-health.js';

const NOBODY: HealthSum = { requests: 0, errors: 0, latency: [] };

/** So many requests, of which so many fail, and which all take as long. */
function sum(requests: number, errors = 0, latencyMs = 10): HealthSum {
  const latency = Array.from({ length: LATENCY_BUCKETS }, () => 0);
  latency[latencyBucketOf(latencyMs)] = requests;
  return { requests, errors, latency };
}

/** What so many instances told of which each told it in one heartbeat. */
function side(...instances: readonly HealthSum[]): HealthSide {
  const paces = new Map<number, HealthSum & { heartbeats: number }>();
  for (const told of instances) {
    if (told.requests === 0) continue;
    const pace = Math.floor(Math.log2(told.requests) / 2);
    const before = paces.get(pace) ?? { heartbeats: 0, requests: 0, errors: 0, latency: [] };
    paces.set(pace, {
      heartbeats: before.heartbeats + 1,
      requests: before.requests + told.requests,
      errors: before.errors + told.errors,
      latency: told.latency.map((count, bucket) => count + (before.latency[bucket] ?? 0)),
    });
  }
  return paces;
}

type Told = HealthSum | readonly HealthSum[];

function judge(
  gate: Gate,
  workloads: Readonly<Record<string, readonly [candidates: Told, rest: Told]>>,
  isLast = false,
) {
  const sided = (told: Told): HealthSide => side(...[told].flat());
  const byWorkload = new Map(
    Object.entries(workloads).map(([name, [candidates, rest]]) => {
      return [name, { candidates: sided(candidates), rest: sided(rest) }];
    }),
  );
  return judgeHealth(gate, { byWorkload, isLast });
}

const SHARE: Gate = { kind: 'errors', maxPercent: 5, minRequests: 100 };
const RATIO: Gate = { kind: 'errors', maxRatio: 2, minRequests: 100 };

describe('errors', () => {
  it.each<[string, Gate, HealthSum, HealthSum, string, number?]>([
    ['too few requests', SHARE, sum(99, 99), NOBODY, 'inconclusive'],
    ['as many as may', SHARE, sum(100, 5), NOBODY, 'pass', 5],
    ['one more', SHARE, sum(100, 6), NOBODY, 'fail', 6],
    ['twice the rest', RATIO, sum(100, 4), sum(1_000, 20), 'pass', 4],
    ['more than twice the rest', RATIO, sum(100, 5), sum(1_000, 20), 'fail', 5],
    ['the rest unknown', RATIO, sum(100, 5), sum(99, 0), 'inconclusive', 5],
    ['one beside none', RATIO, sum(100, 1), sum(1_000, 0), 'pass', 1],
    ['two beside none', RATIO, sum(100, 2), sum(1_000, 0), 'fail', 2],
    ['few beside few, of many', RATIO, sum(1_000, 2), sum(1_000, 0), 'pass', 0.2],
    ['none beside none', RATIO, sum(100, 0), sum(1_000, 0), 'pass', 0],
    ['both, the share', { ...RATIO, maxPercent: 1 }, sum(100, 2), NOBODY, 'fail', 2],
  ])('%s', (...row) => {
    const [, gate, candidates, rest, outcome, value] = row;
    const [over] = judge(gate, { cart: [candidates, rest] });
    expect([over?.outcome, over?.value]).toEqual([outcome, value]);
  });

  it('have nobody to be compared with in the last stage', () => {
    const [over, ...alone] = judge(RATIO, { cart: [sum(100, 90), NOBODY] }, true);
    expect(over).toMatchObject({ outcome: 'pass', value: 90 });
    expect(over?.why).toContain('nobody is left to compare with');
    expect(alone).toEqual([]);
    expect(judge({ ...RATIO, maxPercent: 50 }, { cart: [sum(100, 90), NOBODY] }, true)[0]).toEqual({
      ...{ outcome: 'fail', value: 90, limit: 50 },
      why: '90 % of 100 requests failed, at most 50 % may',
    });
  });

  it('are judged over all, and each workload alone that has enough of them', () => {
    const workloads = {
      cart: [Array.from({ length: 40 }, () => sum(250)), NOBODY],
      few: [sum(50, 50), NOBODY],
      sick: [sum(100, 30), NOBODY],
    } as const;
    const [over, ...alone] = judge(SHARE, workloads);
    expect(over).toMatchObject({ outcome: 'pass', value: 0.7882 });
    expect(alone).toMatchObject([{ workload: 'sick', outcome: 'fail', value: 30 }]);
  });
});

describe('latency', () => {
  const most: Gate = { kind: 'latency', quantile: 0.5, maxMs: 100, minRequests: 10 };
  const ratio: Gate = { kind: 'latency', quantile: 0.99, maxRatio: 2, minRequests: 10 };

  it('is judged by its quantile, and beside that of the rest', () => {
    expect(judge(most, { cart: [sum(100, 0, 10), NOBODY] })[0]).toMatchObject({ outcome: 'pass' });
    expect(judge(most, { cart: [sum(100, 0, 400), NOBODY] })[0]).toMatchObject({
      ...{ outcome: 'fail', limit: 100 },
      why: expect.stringMatching(
        /^50 % of 100 requests took \d+(\.\d+)? ms or less, at most 100/,
      ) as unknown,
    });
    const beside = (own: number): unknown =>
      judge(ratio, { cart: [sum(100, 0, own), sum(100, 0, 10)] })[0]?.outcome;
    expect([beside(10), beside(15), beside(80)]).toEqual(['pass', 'pass', 'fail']);
  });

  it('is not known by a few requests, however many tell of none', () => {
    const few: HealthSum = { ...sum(9, 0, 400), requests: 1_000 };
    expect(judge(most, { cart: [few, NOBODY] })[0]).toEqual({
      ...{ outcome: 'inconclusive' },
      why: '9 latencies of candidates are known of, 10 are needed',
    });
    expect(judge(ratio, { cart: [sum(100, 0, 400), few] })[0]?.outcome).toBe('inconclusive');
  });

  it('is not known where requests tell of none', () => {
    const untimed: HealthSum = { requests: 100, errors: 0, latency: [] };
    expect(judge(most, { cart: [untimed, NOBODY] })[0]).toEqual({
      ...{ outcome: 'inconclusive', why: 'no latency of candidates is known' },
    });
    expect(judge(ratio, { cart: [sum(100), untimed] })[0]?.outcome).toBe('inconclusive');
  });
});

describe('one instance that tells of a billion requests', () => {
  const gates: readonly Gate[] = [
    { kind: 'errors', maxPercent: 10, minRequests: 100 },
    { kind: 'latency', quantile: 0.9, maxMs: 100, minRequests: 100 },
  ];
  const many = (told: HealthSum, count = 38): HealthSum[] =>
    Array.from({ length: count }, () => told);
  const outcomes = (candidates: Told, rest: Told = NOBODY, gate?: Gate): unknown[] =>
    (gate === undefined ? gates : [gate]).map(
      (each) => judge(each, { cart: [candidates, rest] })[0]?.outcome,
    );

  it('decides nothing for a fleet that is well, nor for one that is sick', () => {
    const [well, sick] = [sum(20), sum(20, 5, 400)];
    const lies = [sum(1e9, 1e9, 400), sum(1e9, 0)];
    expect(outcomes([...many(well), lies[0]!])).toEqual(['pass', 'pass']);
    expect(outcomes([...many(sick), lies[1]!])).toEqual(['fail', 'fail']);
    const [over] = judge(gates[0]!, { cart: [[...many(well), lies[0]!], NOBODY] });
    expect(over?.why).toBe('9.524 % of 840 requests failed');
  });

  it('decides nothing of what candidates are compared with', () => {
    const ratio: Gate = { kind: 'errors', maxRatio: 2, minRequests: 100 };
    const sick = many(sum(20, 5));
    expect(outcomes(sick, [...many(sum(20)), sum(1e9, 1e9)], ratio)).toEqual(['fail']);
    expect(outcomes(many(sum(20, 1)), [...many(sum(20, 1)), sum(1e9)], ratio)).toEqual(['pass']);
  });

  it('decides nothing over all workloads', () => {
    const small = Object.fromEntries(
      Array.from({ length: 20 }, (_, n) => [`w${n}`, [sum(20, 10, 400), NOBODY] as const]),
    );
    for (const gate of gates) {
      const [over] = judge(gate, { ...small, liar: [sum(1e9), NOBODY] });
      expect(over?.outcome).toBe('fail');
    }
  });

  it('makes no few requests of the others enough', () => {
    const [over] = judge(gates[0]!, { cart: [[...many(sum(2, 1), 10), sum(1e9)], NOBODY] });
    expect(over).toEqual({
      outcome: 'inconclusive',
      why:
        '28 requests of candidates are known of, 100 are needed: 1000000020 are told, ' +
        'and no instance counts more than 4 times the median',
    });
  });

  it('leaves alone what differs as fleets do', () => {
    const fleet = [10, 20, 20, 40, 60, 80].map((requests) => sum(requests, 1));
    const [over] = judge(gates[0]!, { cart: [fleet, NOBODY] });
    expect(over?.why).toBe('2.609 % of 230 requests failed');
  });
});
