import type { AddressText, HelloHealth, HelloRun } from '@pawl/contracts';
import { HEALTH_SPANS } from '@pawl/contracts';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { HealthSide } from './even-out.js';
import type { Incarnation } from './incarnation.js';
import { HealthRoom } from './health-room.js';
import { HealthSums } from './health-sums.js';

const SEED = 20_261_129;
const AT = 'acme/app' as AddressText;
const NONE = { requests: 0, errors: 0, latency: [] };

/** One process of a workload; sums know it by itself. */
function incarnation(workload = 'checkout'): Incarnation {
  return { ref: { root: 'acme', workload, consumerId: 'c' } } as Incarnation;
}

type Counts = Partial<Omit<HelloHealth, 'generation' | 'version'>>;

function run(counts: readonly Counts[], at: string = AT): HelloRun {
  const health = counts.map((each) => ({
    ...{ span: 1, generation: 1, version: each.span ?? 1 },
    ...{ requests: 0, errors: 0, latency: [], ...each },
  }));
  const runs = { address: at, generation: 1, version: 1 };
  return health.length === 0 ? runs : { ...runs, health };
}

let sums: HealthSums;
beforeEach(() => {
  sums = new HealthSums();
});

/** What all workloads have reported at an address in ten minutes. */
function seen(release = 'r1', nowMs = 0, windowMs = 600_000, ...at: AddressText[]) {
  const all = [...sums.of(at.length === 0 ? [AT] : at, release, windowMs, nowMs)];
  return Object.fromEntries(
    all.map(([workload, { candidates, rest }]) => {
      return [workload, { candidates: totalOf(candidates), rest: totalOf(rest) }];
    }),
  );
}

/** Whatever the pace is at which it was told. */
function totalOf(side: HealthSide) {
  const total = { requests: 0, errors: 0, latency: [] as number[] };
  for (const { requests, errors, latency } of side.values()) {
    total.requests += requests;
    total.errors += errors;
    for (const [bucket, count] of latency.entries()) {
      total.latency[bucket] = (total.latency[bucket] ?? 0) + count;
    }
  }
  return total;
}

describe('what services report', () => {
  it('is added up by workload, candidates apart from the rest', () => {
    const [stable, candidate, both, till] = [
      incarnation(),
      incarnation(),
      incarnation(),
      incarnation('till'),
    ];
    for (const each of [stable, candidate, both, till]) sums.take(each, [run([])], 0);
    expect(seen()).toEqual({});
    sums.take(stable, [run([{ requests: 10, errors: 1, latency: [0, 4, 6] }])], 0);
    sums.take(candidate, [run([{ cohort: 'r1', requests: 5, errors: 5, latency: [0, 5] }])], 0);
    sums.take(both, [run([{ cohort: 'r0+r1', requests: 1, latency: [0, 0, 0, 1] }])], 0);
    sums.take(till, [run([{ cohort: 'r0', requests: 2 }])], 0);
    expect(seen()).toEqual({
      checkout: {
        candidates: { requests: 6, errors: 5, latency: [0, 5, 0, 1] },
        rest: { requests: 10, errors: 1, latency: [0, 4, 6] },
      },
      till: { candidates: NONE, rest: { ...NONE, requests: 2 } },
    });
    expect(seen('r0')).toMatchObject({ checkout: { candidates: { requests: 1 } } });
    expect(seen('r')).toMatchObject({ checkout: { candidates: { requests: 0 } } });
  });

  it('is added up over the addresses that are asked for', () => {
    const [one, other] = [incarnation(), incarnation()];
    const hello = (requests: number, at: string) => [run(requests ? [{ requests }] : [], at)];
    for (const [each, requests, at] of [
      [one, 1, 'acme/app'],
      [other, 20, 'acme/app/eu'],
    ] as const) {
      sums.take(each, hello(0, at), 0);
      sums.take(each, hello(requests, at), 0);
    }
    const of = (...addresses: string[]) =>
      seen('r1', 0, 600_000, ...(addresses as AddressText[]))['checkout']?.rest.requests;
    expect([of('acme/app'), of('acme/app', 'acme/app/eu'), of('acme')]).toEqual([1, 21, undefined]);
  });

  it('counts as much as it has grown by, whether heartbeats are lost, late or come twice', () => {
    const one = incarnation();
    sums.take(one, [run([])], 0);
    for (const requests of [1, 4, 4, 2, 1, 9]) {
      sums.take(one, [run([{ requests, latency: [requests] }])], 0);
    }
    expect(seen()).toMatchObject({ checkout: { rest: { requests: 9, latency: [9] } } });
  });

  it('is never less for a word that takes back a part of what was said', () => {
    const one = incarnation();
    const before = { requests: 5, errors: 2, latency: [5] };
    const lies = [{ latency: [2, 1] }, { errors: 1 }, { requests: 4, errors: 3 }, { latency: [] }];
    sums.take(one, [run([])], 0);
    sums.take(one, [run([before])], 0);
    for (const lie of lies) sums.take(one, [run([{ ...before, requests: 9, ...lie }])], 0);
    expect(seen()).toEqual({ checkout: { candidates: NONE, rest: before } });
  });

  it('is of no more failures, and no more latencies, than there were requests', () => {
    const one = incarnation();
    sums.take(one, [run([])], 0);
    sums.take(one, [run([{ requests: 4, errors: 1e9, latency: [0, 6e9, 2e9] }])], 0);
    sums.take(one, [run([{ requests: 4, errors: 2e9, latency: [1e9, 6e9, 2e9] }])], 0);
    const rest = { requests: 4, errors: 4, latency: [0, 3, 1] };
    expect(seen()).toEqual({ checkout: { candidates: NONE, rest } });
  });

  it('is known apart of those that serve much, and of those that serve little', () => {
    const [busy, idle] = [incarnation(), incarnation()];
    for (const each of [busy, idle]) sums.take(each, [run([])], 0);
    const hear = (one: Incarnation, requests: number, atMs = 0): void =>
      sums.take(one, [run([{ requests }])], atMs);
    for (let n = 1; n < 5; n += 1) {
      hear(idle, n);
      hear(busy, n * 400);
    }
    const paces = (nowMs: number) =>
      [...sums.of([AT], 'r1', 60_000, nowMs).get('checkout')!.rest].map(
        ([pace, { heartbeats, requests }]) => `${pace}: ${requests} in ${heartbeats}`,
      );
    expect(paces(0)).toEqual(['0: 3 in 3', '4: 800 in 2', '5: 800 in 2', '1: 1 in 1']);
    // How much it was is forgotten after five to ten minutes, not with the next heartbeat.
    hear(busy, 1_601, 400_000);
    expect(paces(400_000)).toEqual(['5: 1 in 1']);
    hear(busy, 1_602, 700_000);
    expect(paces(700_000)).toEqual(['0: 1 in 1']);
  });

  it('counts for what ran before too, and begins anew with each span', () => {
    const one = incarnation();
    sums.take(one, [run([])], 0);
    sums.take(one, [run([{ requests: 3 }])], 0);
    const later = run([{ requests: 5 }, { span: 2, cohort: 'r1', requests: 1 }]);
    for (const each of [later, later]) sums.take(one, [each], 0);
    sums.take(one, [run([{ span: 3, requests: 2 }])], 0);
    const late = run([{ requests: 4 }, { span: 2, cohort: 'r1', requests: 1 }]);
    sums.take(one, [late], 0);
    expect(seen()).toMatchObject({
      checkout: { candidates: { requests: 1 }, rest: { requests: 7 } },
    });
  });

  it('counts nothing twice of a span that is long over', () => {
    const one = incarnation();
    sums.take(one, [run([])], 0);
    for (const span of [1, 2, 3, 4, 5, 1]) sums.take(one, [run([{ span, requests: 1 }])], 0);
    expect(seen()).toMatchObject({ checkout: { rest: { requests: 5 } } });
  });

  it('begins with what an incarnation has said first', () => {
    const one = incarnation();
    sums.take(one, [run([{ span: 4, requests: 1_000, errors: 10 }])], 0);
    expect(seen()).toEqual({});
    sums.take(one, [run([{ span: 4, requests: 1_003, errors: 11 }])], 0);
    expect(seen()).toMatchObject({ checkout: { rest: { requests: 3, errors: 1 } } });
  });

  it('begins so too where it had no room to say it first', () => {
    const one = incarnation();
    const untold: HelloRun = { address: AT, generation: 1, version: 1, health: [] };
    for (let time = 0; time < 2; time += 1) sums.take(one, [untold], 0);
    sums.take(one, [run([{ requests: 1_000, errors: 10 }])], 0);
    expect(seen()).toEqual({});
    sums.take(one, [untold], 0);
    sums.take(one, [run([{ requests: 1_003, errors: 11 }])], 0);
    expect(seen()).toMatchObject({ checkout: { rest: { requests: 3, errors: 1 } } });
  });

  it('counts from the start where an address is opened later, and once where a heartbeat is late', () => {
    const one = incarnation();
    const other = 'acme/app/eu' as AddressText;
    sums.take(one, [run([])], 0);
    for (let time = 0; time < 2; time += 1) {
      sums.take(one, [run([]), run([{ requests: 2 }], other)], 0);
      sums.take(one, [run([])], 0);
    }
    expect(seen('r1', 0, 1_000, other)).toMatchObject({ checkout: { rest: { requests: 2 } } });
  });

  it('remembers no more addresses than a heartbeat names', () => {
    const one = incarnation();
    sums.take(one, [run([])], 0);
    const many = (from: number) =>
      Array.from({ length: 900 }, (_, n) => run([{ requests: 2 }], `acme/app/a${from + n}`));
    for (const from of [0, 900, 0]) sums.take(one, many(from), 0);
    expect(seen('r1', 0, 1_000, 'acme/app/a0' as AddressText)).toMatchObject({
      checkout: { rest: { requests: 4 } },
    });
  });
});

describe('the time in which it was reported', () => {
  const report = (one: Incarnation, requests: number, atMs: number): void =>
    sums.take(one, [run([{ requests }])], atMs);
  const within = (windowMs: number, nowMs: number) =>
    seen('r1', nowMs, windowMs)['checkout']?.rest.requests ?? 0;

  it('is known in slices of five seconds, and those that are whole are asked for', () => {
    const one = incarnation();
    sums.take(one, [run([])], 0);
    for (let n = 0; n < 12; n += 1) report(one, 2 ** (n + 1) - 1, n * 5_000 + 2_000);
    expect(within(10_000, 55_000)).toBe(2 ** 9 + 2 ** 10 + 2 ** 11);
    expect(within(14_999, 55_000)).toBe(2 ** 9 + 2 ** 10 + 2 ** 11);
    expect(within(600_000, 55_000)).toBe(2 ** 12 - 1);
    expect(within(1_000, 58_000)).toBe(0);
  });

  it('is ten minutes, whatever is asked for', () => {
    const one = incarnation();
    sums.take(one, [run([])], 0);
    report(one, 1, 1_000);
    report(one, 3, 599_000);
    expect(within(3_600_000, 599_000)).toBe(3);
    report(one, 7, 601_000);
    expect(within(3_600_000, 601_000)).toBe(6);
  });

  it('is shorter where there is too much to keep', () => {
    sums = new HealthSums(undefined, 10);
    const all = Array.from({ length: 4 }, (_, n) => incarnation(`w${n}`));
    for (const each of all) sums.take(each, [run([])], 0);
    for (let n = 0; n < 5; n += 1) {
      for (const each of all) report(each, n + 1, n * 5_000);
    }
    const kept = Object.values(seen('r1', 20_000)).map(({ rest }) => rest.requests);
    expect(kept).toEqual([2, 2, 2, 2]);
  });

  it('is never so short that the newest is missing, of which as much is kept as may be', () => {
    sums = new HealthSums(undefined, 2);
    const all = ['a', 'b', 'c'].map((workload) => incarnation(workload));
    for (const each of all) sums.take(each, [run([])], 0);
    for (const each of all) report(each, 1, 0);
    expect(Object.keys(seen())).toEqual(['a', 'b']);
    for (const each of [...all].reverse()) report(each, 3, 5_000);
    expect(Object.keys(seen('r1', 5_000))).toEqual(['c', 'b']);
  });
});

describe('the room of a node', () => {
  const room = new HealthRoom(6);
  const shards = [new HealthSums(room), new HealthSums(room), new HealthSums(room)] as const;
  const one = incarnation();
  const tell = (to: HealthSums, requests: number, atMs: number, at = AT): void =>
    to.take(one, [run([{ requests }], at)], atMs);
  const kept = (of: HealthSums, nowMs: number): number => {
    const side = of.of([AT, 'acme/b' as AddressText], 'r1', 600_000, nowMs).get('checkout')?.rest;
    return [...(side?.values() ?? [])].reduce((sum, { heartbeats }) => sum + heartbeats, 0);
  };

  it('is shared by all its shards: the oldest of all is forgotten first', () => {
    for (const shard of shards) shard.take(one, [run([]), run([], 'acme/b')], 0);
    const [a, b, c] = shards;
    for (let n = 1; n <= 3; n += 1) {
      tell(a, n, n * 5_000);
      tell(b, n, n * 5_000);
    }
    expect([kept(a, 20_000), kept(b, 20_000)]).toEqual([3, 3]);
    tell(c, 1, 20_000);
    tell(c, 1, 20_000, 'acme/b' as AddressText);
    expect([kept(a, 20_000), kept(b, 20_000), kept(c, 20_000)]).toEqual([2, 2, 2]);
    tell(c, 2, 25_000);
    a.close();
    tell(a, 9, 25_000);
    tell(b, 4, 25_000);
    expect([kept(a, 25_000), kept(b, 25_000), kept(c, 25_000)]).toEqual([0, 3, 3]);
    const many = ['c', 'd', 'e', 'f', 'g', 'h', 'i'].map((name) => `acme/${name}` as AddressText);
    c.take(
      one,
      many.map((at) => run([], at)),
      30_000,
    );
    for (const at of many) tell(c, 1, 30_000, at);
    // What is newest of all leaves no room for more of the same time.
    expect(many.filter((at) => c.of([at], 'r1', 600_000, 30_000).size > 0)).toHaveLength(6);
    expect([kept(b, 30_000), kept(c, 30_000)]).toEqual([0, 0]);
  });
});

describe('sums of many heartbeats', () => {
  const step = fc.oneof(
    fc
      .record({ kind: fc.constant('serve' as const), requests: fc.nat(20), errors: fc.nat(3) })
      .map((each) => ({ ...each, errors: Math.min(each.errors, each.requests) })),
    fc.record({ kind: fc.constant('swap' as const) }),
    fc.record({
      kind: fc.constant('hello' as const),
      how: fc.constantFrom('answered', 'unanswered', 'lost', 'twice', 'late'),
    }),
  );

  /** What arrives, in order, of a process that does all this; `late` ones come at the end, or not. */
  function arrivals(steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]) {
    let span = 1;
    let spans: { span: number; cohort: string; requests: number; errors: number }[] = [];
    const begin = () => {
      const former = spans.filter(({ requests, errors }) => requests + errors > 0);
      spans = [...former, { span, cohort: `r${span}`, requests: 0, errors: 0 }];
      spans = spans.slice(-HEALTH_SPANS);
      span += 1;
    };
    begin();
    const inTime: HelloRun[] = [];
    const late: HelloRun[] = [];
    for (const each of steps) {
      if (each.kind === 'swap') begin();
      else if (each.kind === 'serve') {
        spans.at(-1)!.requests += each.requests;
        spans.at(-1)!.errors += each.errors;
      } else {
        const said = run(spans.filter(({ requests, errors }) => requests + errors > 0));
        if (each.how === 'late') late.push(said);
        else if (each.how !== 'lost') inTime.push(said);
        if (each.how === 'twice') inTime.push(said);
        if (each.how === 'answered' || each.how === 'twice') spans = spans.slice(-1);
      }
    }
    return { inTime, late };
  }

  it('are the most that arrived of each span, and never more, also where some come late', () => {
    const holds = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      sums = new HealthSums();
      const one = incarnation();
      const { inTime, late } = arrivals(steps);
      sums.take(one, [run([])], 0);
      const most = new Map<string, { requests: number; errors: number }>();
      const hear = (said: HelloRun): void => {
        sums.take(one, [said], 0);
        for (const { cohort = '', requests, errors } of said.health ?? []) {
          const known = most.get(cohort) ?? NONE;
          most.set(cohort, {
            requests: Math.max(requests, known.requests),
            errors: Math.max(errors, known.errors),
          });
        }
      };
      const counted = (cohort: string) => seen(cohort)['checkout']!.candidates;
      for (const each of inTime) hear(each);
      for (const [cohort, counts] of most) expect(counted(cohort)).toMatchObject(counts);
      for (const each of late) hear(each);
      for (const [cohort, { requests, errors }] of most) {
        expect(counted(cohort).requests).toBeLessThanOrEqual(requests);
        expect(counted(cohort).errors).toBeLessThanOrEqual(errors);
      }
    });
    fc.assert(holds, { seed: SEED, numRuns: 300 });
  });
});
