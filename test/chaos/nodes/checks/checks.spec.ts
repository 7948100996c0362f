import { describe, expect, it } from 'vitest';
import type { Call, CallOutcome, CallRequest } from '../traffic/call.js';
import type { ConsumerRecord } from '../world/fleet.js';
import type { Truth } from '../world/read-truth.js';
import { checkConsumers, notConverged } from './check-consumers.js';
import { checkHistories } from './check-histories.js';
import { forgive } from './forgive.js';
import { checkTokens } from './check-tokens.js';
import { checkTruth, countLost } from './check-truth.js';

const SCOPE = 'root-1/app';

const definition = (version: number, author: string) => ({
  scope: SCOPE,
  version,
  hash: `hash of ${author}`,
  author,
});

const transition = (releaseVersion: number, stableVersion: number, author: string) => ({
  scope: SCOPE,
  releaseVersion,
  action: 'promote',
  stableVersion,
  author,
});

/** Three definitions; 1 was released, then 3, then 2 by a rollback. */
function good(change: Partial<Truth> = {}): Truth {
  const definitions = [definition(1, 'a'), definition(2, 'b'), definition(3, 'c')];
  const transitions = [transition(1, 1, 'p'), transition(2, 3, 'q'), transition(3, 2, 'r')];
  return {
    definitions,
    told: definitions,
    transitions,
    releases: [{ scope: SCOPE, state: 'idle', releaseVersion: 3, stableVersion: 2 }],
    snapshots: [{ scope: SCOPE, generation: 1, version: 3, hash: 'snapshot 3' }],
    audit: { writes: [], raises: [] },
    ...change,
  };
}

interface Told {
  readonly id: string;
  readonly request: CallRequest;
  readonly outcome: CallOutcome;
  /** When it was called and returned; one after the other where it is left out. */
  readonly times?: readonly [number, number];
}

function history(...told: readonly Told[]): Call[] {
  return told.map(({ id, request, outcome, times }, at) => ({
    id,
    writer: `writer of ${id}`,
    scope: SCOPE,
    request,
    hash: request.kind === 'put' ? `hash of ${id}` : null,
    calledAt: times?.[0] ?? 10 * at,
    returnedAt: times?.[1] ?? 10 * at + 5,
    outcome,
    attempts: 1,
  }));
}

const wrote = (version: number, author: string): CallOutcome => ({
  kind: 'definition',
  version,
  hash: `hash of ${author}`,
  author,
});

const released = (releaseVersion: number, stableVersion: number): CallOutcome => ({
  kind: 'release',
  releaseVersion,
  state: 'idle',
  stableVersion,
});

const put = (expected: number | null): CallRequest => ({ kind: 'put', expected, keyed: false });
const promote = (target: number | null): CallRequest => ({
  kind: 'promote',
  target,
  expected: null,
});
const UNKNOWN: CallOutcome = { kind: 'unknown', why: 'TimeoutError' };
const NOT_DONE: CallOutcome = { kind: 'failed', why: 'no-owner' };
const GET_CONFIG: CallRequest = { kind: 'get-config' };
const GET_RELEASE: CallRequest = { kind: 'get-release' };

const PUTS: readonly Told[] = [
  { id: 'a', request: put(0), outcome: wrote(1, 'a') },
  { id: 'b', request: put(1), outcome: wrote(2, 'b') },
  { id: 'c', request: put(null), outcome: wrote(3, 'c') },
];
const RELEASES: readonly Told[] = [
  { id: 'p', request: promote(1), outcome: released(1, 1) },
  { id: 'q', request: promote(null), outcome: released(2, 3) },
  {
    id: 'r',
    request: { kind: 'rollback', target: 2, expected: 2 },
    outcome: released(3, 2),
  },
];
const ALL = [...PUTS, ...RELEASES];
const promises = (broken: readonly { promise: string }[]) => [
  ...new Set(broken.map(({ promise }) => promise)),
];

describe('the truth', () => {
  it('holds what was acknowledged, and what was left open', () => {
    expect(checkTruth(good(), history(...ALL))).toEqual([]);
    const open = ALL.map((one) => ({ ...one, outcome: UNKNOWN }));
    expect(checkTruth(good(), history(...open))).toEqual([]);
  });

  it('finds a lost definition, also where another took its version', () => {
    const lost: Told = { id: 'd', request: put(3), outcome: wrote(4, 'd') };
    const broken = checkTruth(good(), history(...ALL, lost));
    expect(promises(broken)).toEqual(['acknowledged writes stay']);
    expect(countLost(broken)).toBe(1);
    const overwritten: Told = { id: 'd', request: put(2), outcome: wrote(3, 'd') };
    expect(countLost(checkTruth(good(), history(...ALL, overwritten)))).toBe(1);
  });

  it('forgives what an older copy does not have, and nothing from before it', () => {
    const lost: Told = { id: 'd', request: put(3), outcome: wrote(4, 'd'), times: [100, 105] };
    const calls = history(...ALL, lost);
    expect(checkTruth(good(), forgive(calls, [{ from: 105, replaced: 110, until: 200 }]))).toEqual(
      [],
    );
    expect(
      countLost(checkTruth(good(), forgive(calls, [{ from: 106, replaced: 110, until: 200 }]))),
    ).toBe(1);
    expect(
      countLost(checkTruth(good(), forgive(calls, [{ from: 50, replaced: 60, until: 99 }]))),
    ).toBe(1);
    const since = [{ from: 50, replaced: 99, until: 200 }];
    expect(countLost(checkTruth(good(), forgive(calls, since)))).toBe(1);
    const refused: Told = { ...lost, id: 'c', outcome: NOT_DONE };
    const told = history(...ALL.filter(({ id }) => id !== 'c'), refused);
    const broken = checkTruth(good(), forgive(told, [{ from: 0, replaced: 100, until: 200 }]));
    expect(promises(broken)).toEqual(['done once']);
  });

  it('finds a lost release', () => {
    const lost: Told = { id: 's', request: promote(3), outcome: released(4, 3) };
    expect(countLost(checkTruth(good(), history(...ALL, lost)))).toBe(1);
  });

  it('finds a gap, and a version that was made twice', () => {
    const definitions = [definition(1, 'a'), definition(3, 'c')];
    const calls = history(...ALL.filter(({ id }) => id !== 'b'));
    expect(promises(checkTruth(good({ definitions }), calls))).toContain('versions without gap');
    const twice = [definition(1, 'a'), definition(2, 'b'), definition(2, 'b')];
    expect(promises(checkTruth(good({ told: twice }), history(...ALL)))).toContain(
      'versions without gap',
    );
  });

  it('finds what was done twice, for nobody, or although it was refused', () => {
    const [first, second] = good().definitions;
    const definitions = [...(first && second ? [first, second] : []), definition(3, 'b')];
    const twice = ALL.filter(({ id }) => id !== 'c');
    expect(promises(checkTruth(good({ definitions }), history(...twice)))).toEqual(['done once']);
    expect(promises(checkTruth(good(), history(...twice)))).toEqual(['done once']);
    for (const outcome of [NOT_DONE, { kind: 'refused', code: 'x', current: 2 } as const]) {
      const calls = ALL.map((one) => (one.id === 'c' ? { ...one, outcome } : one));
      expect(promises(checkTruth(good(), history(...calls)))).toEqual(['done once']);
    }
  });

  it('finds a release that is not where its history ends', () => {
    const releases = [{ scope: SCOPE, state: 'idle', releaseVersion: 3, stableVersion: 3 }];
    expect(promises(checkTruth(good({ releases }), history(...ALL)))).toEqual(['one truth']);
  });
});

describe('histories', () => {
  const find = (...told: readonly Told[]) => promises(checkHistories(good(), history(...told)));
  const later: Told = {
    id: 'd',
    request: put(1),
    outcome: { kind: 'refused', code: 'version-mismatch', current: 3 },
  };

  it('pass when each answer fits between those before and after it', () => {
    expect(find(...ALL, { id: 'g', request: GET_CONFIG, outcome: wrote(3, 'c') })).toEqual([]);
    expect(find(...ALL, { id: 'h', request: GET_RELEASE, outcome: released(3, 2) })).toEqual([]);
    expect(find(...ALL, later)).toEqual([]);
    const open = ALL.map((one) => (one.id === 'b' ? { ...one, outcome: UNKNOWN } : one));
    expect(find(...open)).toEqual([]);
  });

  it('fail at a stale read of a definition or a release', () => {
    const stale = { id: 'g', request: GET_CONFIG, outcome: wrote(2, 'b') };
    expect(find(...ALL, stale)).toEqual(['linearizable']);
    const before = { id: 'h', request: GET_RELEASE, outcome: released(2, 3) };
    expect(find(...ALL, before)).toEqual(['linearizable']);
    expect(find(...ALL, { ...before, times: [40, 100] })).toEqual([]);
  });

  it('fail at a stale refusal, and at a condition that did not hold', () => {
    const outcome = { kind: 'refused', code: 'version-mismatch', current: 2 } as const;
    expect(find(...ALL, { ...later, outcome })).toEqual(['linearizable']);
    const wrong = ALL.map((one) => (one.id === 'c' ? { ...one, request: put(1) } : one));
    expect(find(...wrong)).toEqual(['linearizable']);
  });

  it('fail when a write took effect before one that had been acknowledged', () => {
    const calls = ALL.map((one): Told => {
      if (one.id === 'b') return { ...one, times: [10, 15] };
      return one.id === 'c' ? { ...one, times: [1, 3] } : one;
    });
    expect(find(...calls)).toEqual(['linearizable']);
  });

  it('fail at a promotion of the newest that overlooks one', () => {
    const calls = ALL.map((one): Told =>
      one.id === 'p' ? { ...one, request: promote(null) } : one,
    );
    expect(find(...calls)).toEqual(['linearizable']);
  });

  it('fail at a write of content that nobody read back', () => {
    const outcome = wrote(3, 'another');
    expect(find(...ALL, { id: 'g', request: GET_CONFIG, outcome })).toEqual(['linearizable']);
  });
});

describe('tokens', () => {
  const raises = [
    { shard: 4, token: 10n, snapshot: '100:100:' },
    { shard: 4, token: 20n, snapshot: '200:210:203,205' },
    { shard: 5, token: 30n, snapshot: '50:50:' },
  ];
  const find = (token: bigint | null, transaction: bigint) =>
    promises(checkTokens({ raises, writes: [{ shard: 4, token, transaction, what: 'a row' }] }));

  it('are kept by what a later owner sees', () => {
    expect(find(10n, 150n)).toEqual([]);
    expect(find(10n, 204n)).toEqual([]);
    expect(find(20n, 205n)).toEqual([]);
    expect(find(20n, 400n)).toEqual([]);
  });

  it('are broken by what came, or ended, after the fence was raised', () => {
    const broken = ['no write under an old token'];
    expect(find(10n, 203n)).toEqual(broken);
    expect(find(10n, 210n)).toEqual(broken);
    expect(find(10n, 400n)).toEqual(broken);
    expect(find(null, 150n)).toEqual(broken);
  });
});

describe('consumers', () => {
  const applied = (version: number, writtenBy: string, change: Partial<ConsumerRecord> = {}) => ({
    kind: 'applied' as const,
    consumer: 'consumer-1',
    address: SCOPE,
    generation: 1,
    version,
    hash: `snapshot ${version}`,
    writtenBy,
    lowered: false,
    ...change,
  });
  const find = (...records: readonly ConsumerRecord[]) => promises(checkConsumers(good(), records));

  it('may miss releases, and go down with a rollback', () => {
    expect(find(applied(1, 'a'), applied(2, 'c'), applied(3, 'b'))).toEqual([]);
    expect(find(applied(1, 'a'), applied(3, 'b'))).toEqual([]);
    expect(find(applied(2, 'c'), applied(3, 'c'))).toEqual([]);
    expect(find(applied(2, 'c'), applied(1, 'b', { generation: 2 }))).toEqual([]);
  });

  it('never go to a lower version, nor apply one twice', () => {
    const broken = ['consumers never go back'];
    expect(find(applied(2, 'c'), applied(1, 'b'))).toEqual(broken);
    expect(find(applied(2, 'c'), applied(2, 'c'))).toEqual(broken);
    expect(find(applied(5, 'c', { generation: 2 }), applied(6, 'b'))).toEqual(broken);
    const overtaken = { generation: null, hash: null };
    expect(find(applied(2, 'c'), applied(1, 'b', overtaken))).toEqual(broken);
  });

  it('start with what their file held, or later', () => {
    const start = { isStart: true };
    const late = { generation: null, hash: null };
    expect(find(applied(2, 'c', start), applied(2, 'c', start), applied(3, 'b'))).toEqual([]);
    expect(find(applied(1, 'a'), applied(3, 'b', start))).toEqual([]);
    expect(find(applied(1, 'a'), applied(2, 'c', late), applied(1, 'a', start))).toEqual([]);
    const broken = ['consumers never go back'];
    expect(find(applied(2, 'c'), applied(1, 'c', start))).toEqual(broken);
    expect(find(applied(2, 'c', { generation: 2 }), applied(2, 'c', start))).toEqual(broken);
    expect(find(applied(2, 'c', start), applied(2, 'c'))).toEqual(broken);
    expect(find(applied(2, 'c'), applied(3, 'a', start))).toEqual(broken);
  });

  it('never run what was released before, under whatever version', () => {
    expect(find(applied(3, 'b'), applied(4, 'c'))).toEqual(['consumers never go back']);
    expect(find(applied(4, 'd'))).toEqual(['consumers never go back']);
  });

  it('may have run, in a former generation, what was lost with an older copy', () => {
    const snapshots = [{ scope: SCOPE, generation: 2, version: 3, hash: 'snapshot 3' }];
    const truth = good({ snapshots });
    const ran = [applied(2, 'c'), applied(3, 'd'), applied(2, 'b', { generation: 2 })];
    expect(checkConsumers(truth, ran, true)).toEqual([]);
    expect(promises(checkConsumers(truth, ran))).toEqual(['consumers never go back']);
    const wrong = [...ran, applied(3, 'd', { generation: 2 })];
    expect(promises(checkConsumers(truth, wrong, true))).toEqual(['consumers never go back']);
  });

  it('see one content under one version', () => {
    const other = { consumer: 'consumer-2', hash: 'another' };
    expect(find(applied(2, 'c'), applied(2, 'c', other))).toEqual(['one truth']);
  });

  it('have converged when each runs what PostgreSQL holds', () => {
    const { snapshots } = good();
    expect(notConverged(snapshots, [applied(2, 'c'), applied(3, 'b')], 1)).toEqual([]);
    expect(notConverged(snapshots, [applied(3, 'b')], 2)).toHaveLength(1);
    expect(notConverged(snapshots, [applied(3, 'b'), applied(2, 'c')], 1)).toHaveLength(1);
    expect(notConverged(snapshots, [applied(3, 'b', { hash: 'another' })], 1)).toHaveLength(1);
  });
});
