import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pawl, Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { startStack, type TestStack } from '../support/stack.js';

interface Limits {
  readonly max?: number;
  readonly burst?: number;
  readonly text?: string;
}

const ADDRESS = 'acme/prod/checkout';
const BELOW = 'acme/prod/checkout/eu';
/** Longer than any preflight here waits. */
const BLOCKED_MS = 10_000;

let stack: TestStack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.stop());

const scopes: Scope<Limits>[] = [];
const judged: string[] = [];

/** An error as one that looks into the document would throw it. */
class TooMuch extends Error {
  readonly pointer = '/burst';
}

async function instance(
  build: string,
  n: number,
  { at = ADDRESS, validate }: { at?: string; validate: (document: Limits) => unknown },
): Promise<Pawl> {
  const pawl = await stack.connectSdk({
    ...{ workload: 'checkout', consumerId: `${build}-${n}`, build: `build-${build}` },
    labels: { zone: `eu-${n}` },
  });
  const scope = await pawl.open<Limits>(at, {
    validate: (document) => {
      judged.push(`${build}-${n}`);
      return validate(document);
    },
  });
  scopes.push(scope);
  return pawl;
}

const takes = { validate: () => undefined };
const refuses = {
  validate: ({ burst = 0 }: Limits) => {
    if (burst > 10) throw new TooMuch(`burst is at most 10, not ${burst}`);
  },
};
const neverEnds = {
  validate: ({ burst = 0 }: Limits) =>
    burst > 10 ? new Promise(() => undefined) : Promise.resolve(),
};

describe('a preflight of seven instances of three builds', () => {
  let before: { truth: string; version: number; documents: unknown; snapshot: unknown };

  it('starts from a version that all of them run', async () => {
    await stack.promote(ADDRESS, { max: 1 });
    await Promise.all([
      ...[1, 2].map((n) => instance('a', n, takes)),
      instance('a', 3, { ...takes, at: BELOW }),
      ...[1, 2].map((n) => instance('b', n, refuses)),
      instance('c', 1, neverEnds),
    ]);
    const blocked = stack.spawnConsumer({
      ...{ address: ADDRESS, workload: 'checkout', consumerId: 'c-2', build: 'build-c' },
      ...{ blockKey: 'burst', blockMs: BLOCKED_MS },
    });
    await blocked.saw(({ event }) => event === 'opened');
    await stack.converged(ADDRESS, 6);
    const { published } = await stack.converged(BELOW, 1);
    await stack.admin().putConfig(ADDRESS, { json: { max: 1, burst: 50 } }, { expect: 1 });
    judged.length = 0;
    before = {
      truth: await stack.truth(),
      version: scopes[0]!.version,
      documents: scopes.map(({ current }) => current),
      snapshot: published,
    };
  });

  it('names exactly those who reject it, cannot say, or do not answer', async () => {
    const view = await stack.admin().preflight(ADDRESS, { timeoutMs: 4_000 });
    expect(view).toMatchObject({
      ...{ address: ADDRESS, version: 2, valid: false },
      addresses: [
        { address: ADDRESS, changed: true, consumers: 6 },
        { address: BELOW, changed: true, consumers: 1 },
      ],
      consumers: { asked: 7, accepted: 3, rejected: 2, cannotSay: 1, silent: 1 },
      reasons: [{ reason: 'burst is at most 10, not 50', count: 2 }],
    });
    const rows = view.byBuild.map((row) => [
      ...[row.build, row.zone, row.accepted, row.rejected, row.cannotSay, row.silent],
    ]);
    expect(rows.sort()).toEqual([
      ['build-a', 'eu-1', 1, 0, 0, 0],
      ['build-a', 'eu-2', 1, 0, 0, 0],
      ['build-a', 'eu-3', 1, 0, 0, 0],
      ['build-b', 'eu-1', 0, 1, 0, 0],
      ['build-b', 'eu-2', 0, 1, 0, 0],
      ['build-c', undefined, 0, 0, 0, 1],
      ['build-c', 'eu-1', 0, 0, 1, 0],
    ]);
    const rejections = view.rejections.map((one) => [one.consumerId, one.pointer, one.build]);
    expect(rejections.sort()).toEqual([
      ['b-1', '/burst', 'build-b'],
      ['b-2', '/burst', 'build-b'],
    ]);
    const unsure = view.unsure.map((one) => [one.consumerId, one.answer]);
    expect(unsure.sort()).toEqual([
      ['c-1', 'cannot-say'],
      ['c-2', 'silent'],
    ]);
  });

  it('runs validate once in each, and changes nothing', async () => {
    expect([...judged].sort()).toEqual(['a-1', 'a-2', 'a-3', 'b-1', 'b-2', 'c-1']);
    expect(await stack.truth()).toBe(before.truth);
    expect(scopes.map(({ current }) => current)).toEqual(before.documents);
    expect(scopes[0]!.version).toBe(before.version);
    const rollout = await stack.admin().rollout(BELOW);
    expect(rollout.published).toEqual(before.snapshot);
    expect(rollout.rejections).toEqual([]);
  });

  it('is refused where promoting would be', async () => {
    const admin = stack.admin();
    await expect(admin.preflight(ADDRESS, { targetVersion: 9 })).rejects.toMatchObject({
      problem: { code: 'version-unknown' },
    });
    await expect(admin.preflight('acme/prod/nowhere')).rejects.toMatchObject({
      problem: { code: 'not-found' },
    });
  });

  it('of a large document that all accept is followed by its promotion', async () => {
    const admin = stack.admin();
    const document = { max: 2, text: 'x'.repeat(50_000) };
    await admin.putConfig(ADDRESS, { json: document }, { expect: 2 });
    // Whoever was blocked is back by and by.
    await eventually(async () => {
      const view = await admin.preflight(ADDRESS);
      expect(view).toMatchObject({
        ...{ version: 3, valid: true, rejections: [], unsure: [] },
        consumers: { asked: 7, accepted: 7 },
      });
    });
    expect(scopes.map(({ current }) => current)).toEqual(before.documents);
    await admin.release(ADDRESS, { action: 'promote' });
    await stack.converged(ADDRESS, 6);
    await stack.converged(BELOW, 1);
    expect(new Set(scopes.map(({ current }) => current.max))).toEqual(new Set([2]));
  });

  it('asks only the workload that is named', async () => {
    const admin = stack.admin();
    const other = await stack.connectSdk({ workload: 'till', consumerId: 't-1' });
    await other.open(ADDRESS);
    await stack.converged(ADDRESS, 7);
    const { version } = await admin.getConfig(ADDRESS);
    await admin.putConfig(ADDRESS, { json: { max: 3 } }, { expect: version });
    const view = await admin.preflight(ADDRESS, { workload: 'till' });
    expect(view).toMatchObject({ valid: true, byBuild: [{ workload: 'till', accepted: 1 }] });
    expect(view.consumers.asked).toBe(1);
  });
});

describe('a release in stages', () => {
  const at = 'acme/prod/orders';
  const opened = new Map<number, { readonly pawl: Pawl; readonly scope: Scope<Limits> }>();
  const ran: (number | undefined)[] = [];

  async function begin(build: string, n: number, validate?: (document: Limits) => void) {
    const who = { workload: 'orders', consumerId: `orders-${n}`, build };
    const pawl = await stack.connectSdk(who);
    const options = validate === undefined ? {} : { validate };
    opened.set(n, { pawl, scope: await pawl.open<Limits>(at, options) });
  }

  it('asks an instance that was restarted as another build before its last stage, and stops', async () => {
    const admin = stack.admin();
    await stack.promote(at, { max: 1 });
    for (const n of [1, 2, 3, 4]) await begin('orders-a', n);
    await stack.converged(at, 4);
    await admin.putConfig(at, { json: { max: 50 } }, { expect: 1 });
    // The first stage is over when somebody says so.
    const stages = [{ count: 1, bakeMs: 100 }, { percent: 100 }];
    const strategy = { stages, gates: [{ kind: 'approval', stages: [0] }] } as const;
    await admin.release(at, { action: 'promote', strategy });
    const isCandidate = (n: number): boolean => opened.get(n)?.scope.current.max === 50;
    await eventually(async () => {
      expect([1, 2, 3, 4].filter(isCandidate)).toHaveLength(1);
      const { releases } = await admin.rollout(at);
      expect(releases).toMatchObject([{ stage: 0, candidates: { applied: 1 } }]);
    });
    const other = [1, 2, 3, 4].find((n) => !isCandidate(n))!;
    await opened.get(other)!.pawl.close();
    await begin('orders-b', other, ({ max = 0 }) => {
      if (max > 10) throw Object.assign(new Error('at most 10'), { pointer: '/max' });
    });
    const { scope } = opened.get(other)!;
    ran.push(scope.current.max);
    scope.on('applied', () => ran.push(scope.current.max));
    await eventually(async () => {
      const { items } = await admin.consumers(at);
      expect(items.map(({ build }) => build)).toContain('orders-b');
    });
    await admin.release(at, { action: 'approve' });
    const { items } = await eventually(async () => {
      expect(await admin.getRelease(at)).toMatchObject({ state: 'idle', stableVersion: 1 });
      return admin.history(at, { limit: 10 });
    });
    expect(items[0]).toMatchObject({
      ...{ action: 'abort', author: 'pawl' },
      reason: `preflight: 1 of 1 reject it: orders/orders-${other} (build orders-b) at ${at}, /max: at most 10`,
    });
    expect(items.filter(({ action }) => action === 'advance')).toHaveLength(1);
    // Nobody but the first candidate has run it, and that one has gone back.
    await stack.converged(at, 4);
    expect(new Set(ran)).toEqual(new Set([1]));
    const now = [...opened.values()].map(({ scope: { current } }) => current.max);
    expect(now).toEqual([1, 1, 1, 1]);
  });
});
