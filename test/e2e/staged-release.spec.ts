import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReleaseView, RolloutRelease } from '@pawl/contracts';
import type { AppliedEvent, Pawl, Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { startStack, type TestStack } from '../support/stack.js';

interface Config {
  readonly currency: string;
  readonly refused?: string;
}

/** Instances of each workload. */
const FLEET = { checkout: 40, search: 3, mail: 1 } as const;
type Workload = keyof typeof FLEET;
const WORKLOADS = Object.keys(FLEET) as Workload[];
const HOUR_MS = 3_600_000;

interface Member {
  readonly workload: Workload;
  readonly pawl: Pawl;
  readonly scope: Scope<Config>;
  readonly applied: AppliedEvent[];
  /** Every currency that it has read. */
  readonly read: Set<string>;
}

let stack: TestStack;
let fleet: Member[] = [];

async function start(workload: Workload, consumerId: string): Promise<Member> {
  const pawl = await stack.connectSdk({ workload, consumerId });
  const scope = await pawl.open<Config>(`acme/prod/${workload}`, {
    validate: ({ refused }) => {
      if (refused === workload) throw new Error(`${workload} does not take it`);
    },
  });
  const applied: AppliedEvent[] = [];
  const read = new Set([scope.current.currency]);
  scope.on('applied', (event) => {
    applied.push(event);
    read.add(scope.current.currency);
  });
  return { workload, pawl, scope, applied, read };
}

beforeAll(async () => {
  stack = await startStack();
  const ada = stack.admin('ada');
  await ada.putConfig('acme/prod', { json: { currency: 'EUR' } }, { expect: 'none' });
  await ada.release('acme/prod', { action: 'promote' });
  const wanted = WORKLOADS.flatMap((workload) =>
    Array.from({ length: FLEET[workload] }, (_, at) => start(workload, `${workload}-${at}`)),
  );
  fleet = await Promise.all(wanted);
});
afterAll(() => stack?.stop());

/** How many of each workload read this currency. */
const reading = (currency: string): Record<Workload, number> => {
  const counts = { checkout: 0, search: 0, mail: 0 };
  for (const { workload, scope } of fleet) {
    if (scope.current.currency === currency) counts[workload] += 1;
  }
  return counts;
};
const put = async (document: Config): Promise<void> => {
  const { version } = await stack.admin().getConfig('acme/prod');
  await stack.admin('ada').putConfig('acme/prod', { json: document }, { expect: version });
};
const act = (action: string, more: object = {}): Promise<ReleaseView> =>
  stack.admin('ada').release('acme/prod', { action, ...more });
const under = async (workload: Workload): Promise<RolloutRelease | undefined> =>
  (await stack.admin().rollout(`acme/prod/${workload}`)).releases?.[0];
const settled = async (): Promise<void> => {
  for (const workload of WORKLOADS) {
    await stack.converged(`acme/prod/${workload}`, FLEET[workload]);
  }
};

describe('a release in stages', () => {
  it('reaches one instance of each workload first, also of those below that nobody has written', async () => {
    await settled();
    await put({ currency: 'SEK' });
    const stages = [
      { count: 1, bakeMs: HOUR_MS },
      { percent: 50, bakeMs: HOUR_MS },
      { percent: 100 },
    ];
    const release = await act('promote', { strategy: { stages } });
    expect(release).toMatchObject({ state: 'rolling', stableVersion: 1, candidate: 2 });
    expect(release.staged).toMatchObject({ strategy: 'inline', stage: 0 });
    await eventually(() => expect(reading('SEK')).toEqual({ checkout: 1, search: 1, mail: 1 }));
    await settled();
    await eventually(async () => {
      const shown = await under('checkout');
      expect(shown).toMatchObject({ address: 'acme/prod', state: 'rolling', stage: 0 });
      expect(shown?.candidates).toEqual({ live: 1, applied: 1, rejected: 0, lagging: 0, lost: 0 });
    });
  });

  it('goes on by hand, and reaches its share of each workload, never all of one that has several', async () => {
    expect(await act('advance')).toMatchObject({ state: 'rolling', staged: { stage: 1 } });
    await eventually(() => expect(reading('SEK')).toEqual({ checkout: 20, search: 2, mail: 1 }));
    await settled();
    expect(reading('EUR')).toEqual({ checkout: 20, search: 1, mail: 0 });
  });

  it('is read by each consumer as its cohort, and told so', async () => {
    const admin = stack.admin();
    const { items } = await admin.consumers('acme/prod/search');
    const candidate = items.find(({ cohort }) => cohort !== undefined);
    const { id } = (await under('search')) ?? {};
    expect(candidate?.cohort).toBe(id);
    const path = (consumer: string): string =>
      `/v1/effective/acme/prod/search?consumerId=${consumer}`;
    const asked = await stack.send({ method: 'GET', path: path(candidate?.consumerId ?? '') });
    expect(asked.json()).toMatchObject({ document: { currency: 'SEK' }, cohort: id });
    const other = items.find(({ cohort }) => cohort === undefined);
    const stable = await stack.send({ method: 'GET', path: path(other?.consumerId ?? '') });
    expect(stable.json()).toMatchObject({ document: { currency: 'EUR' } });
  });

  it('lets a replacement take over the place of a candidate', async () => {
    const gone = fleet.find(
      ({ workload, scope }) => workload === 'checkout' && scope.current.currency === 'SEK',
    );
    await gone?.pawl.close();
    fleet = fleet.filter((member) => member !== gone);
    fleet.push(await start('checkout', 'checkout-new'));
    await eventually(() => expect(reading('SEK')).toEqual({ checkout: 20, search: 2, mail: 1 }));
    await settled();
  });

  it('is aborted: whoever had it goes back, at a higher snapshot version', async () => {
    const candidates = fleet.filter(({ scope }) => scope.current.currency === 'SEK');
    const before = candidates.map(({ scope }) => scope.version);
    expect(await act('abort', { reason: 'not today' })).toMatchObject({ state: 'idle' });
    await eventually(() => expect(reading('SEK')).toEqual({ checkout: 0, search: 0, mail: 0 }));
    for (const [at, { scope, applied }] of candidates.entries()) {
      expect(scope.version).toBeGreaterThan(before[at] ?? 0);
      expect(applied.at(-1)).toMatchObject({ lowered: true });
    }
    await settled();
  });

  it('goes on by itself while its candidates are well, to the end', async () => {
    await put({ currency: 'NOK' });
    const strategy = { preset: 'linear', stepPercent: 50, bakeMs: 100, finalBakeMs: 100 };
    await act('promote', { strategy });
    await eventually(async () => {
      expect(await stack.admin().getRelease('acme/prod')).toMatchObject({
        ...{ state: 'idle', stableVersion: 3 },
      });
    });
    await eventually(() => expect(reading('NOK')).toEqual(FLEET));
    await settled();
    const { items } = await stack.admin().history('acme/prod', { limit: 4 });
    expect(items.map(({ author, action }) => `${author} ${action ?? ''}`)).toEqual([
      ...['pawl advance', 'pawl advance', 'pawl advance', 'ada promote'],
    ]);
    expect(items.at(-2)?.reason).toBe('preflight: 44 of 44 accept it');
  });

  it('is stopped in its first stage by those that reject it, and told why', async () => {
    await put({ currency: 'DKK', refused: 'search' });
    const versions = fleet.map(({ scope }) => scope.version);
    const strategy = { preset: 'canary', bakeMs: HOUR_MS, preflight: false } as const;
    await act('promote', { strategy });
    await eventually(async () => {
      expect(await stack.admin().getRelease('acme/prod')).toMatchObject({
        ...{ state: 'idle', stableVersion: 3 },
      });
    });
    const { items } = await stack.admin().history('acme/prod', { limit: 1 });
    expect(items[0]).toMatchObject({ author: 'pawl', action: 'abort', version: 4 });
    expect(items[0]?.reason).toContain('search does not take it');
    await settled();
    expect(reading('NOK')).toEqual(FLEET);
    const reached = fleet.filter(({ read }) => read.has('DKK')).map(({ workload }) => workload);
    // At most: it may be stopped before the others have taken it.
    expect(['checkout', 'mail']).toEqual(expect.arrayContaining(reached));
    expect(new Set(reached).size).toBe(reached.length);
    expect(versions.every((version, at) => (fleet[at]?.scope.version ?? 0) > version)).toBe(true);
  });

  it('is stopped by its preflight before anybody has it, and told who rejects it', async () => {
    await put({ currency: 'ISK', refused: 'search' });
    await act('promote', { strategy: 'canary' });
    await eventually(async () => {
      const { items } = await stack.admin().history('acme/prod', { limit: 1 });
      expect(items[0]).toMatchObject({ author: 'pawl', action: 'abort', version: 5 });
      expect(items[0]?.reason).toMatch(/^preflight: 3 of 44 reject it: search\/search-/);
      expect(items[0]?.reason).toContain('search does not take it');
    });
    await settled();
    expect(fleet.filter(({ read }) => read.has('ISK'))).toEqual([]);
  });

  it('below ends by the name of its address in a promote above, and its candidates go back', async () => {
    const shop = 'acme/prod/checkout';
    const ada = stack.admin('ada');
    await ada.putConfig(shop, { json: { currency: 'CHF' } }, { expect: 'none' });
    const stages = [{ count: 1, bakeMs: HOUR_MS }, { percent: 100 }];
    const strategy = { stages, preflight: false } as const;
    const begun = await ada.release(shop, { action: 'promote', strategy });
    await eventually(() => expect(reading('CHF').checkout).toBe(1));
    await put({ currency: 'GBP' });
    const preempt = [shop];
    const { aborted } = await act('promote', { strategy: 'all-at-once', preempt, reason: 'now' });
    expect(aborted).toEqual([{ address: shop, id: begun.staged?.id, version: 1 }]);
    await eventually(() => expect(reading('GBP')).toEqual(FLEET));
    await settled();
    const { items } = await stack.admin().history(shop, { limit: 1 });
    expect(items[0]).toMatchObject({
      ...{ author: 'ada', action: 'abort' },
      reason: 'pre-empted by the promote of acme/prod: now',
    });
  });

  it('of one stage reaches everybody who accepts it, and is taken back in one step while watched', async () => {
    await put({ currency: 'NZD' });
    const { stableVersion } = await stack.admin().getRelease('acme/prod');
    const strategy = { preset: 'all-at-once', finalBakeMs: HOUR_MS } as const;
    await act('promote', { strategy });
    await eventually(() => expect(reading('NZD')).toEqual(FLEET));
    expect(await stack.admin().getRelease('acme/prod')).toMatchObject({
      ...{ state: 'rolling', stableVersion, staged: { strategy: 'all-at-once', stage: 0 } },
    });
    expect(await act('rollback')).toMatchObject({ state: 'idle', stableVersion });
    await eventually(() => expect(reading('GBP')).toEqual(FLEET));
    await settled();
    const { items } = await stack.admin().history('acme/prod', { limit: 3 });
    expect(items.map(({ author, action }) => `${author} ${action ?? ''}`)).toEqual([
      ...['ada rollback', 'pawl advance', 'ada promote'],
    ]);
    expect(items[1]?.reason).toBe('preflight: 44 of 44 accept it');
  });
});
