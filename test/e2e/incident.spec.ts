import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AdminClient } from '@pawl/admin-client';
import type {
  AuditItem,
  ConsumersThen,
  EndedRelease,
  EndedReleaseSummary,
  ReleaseItem,
  ReleaseSummary,
  ReleaseView,
} from '@pawl/contracts';
import type { Scope } from '@pawl/sdk';
import { eventually } from '../support/eventually.js';
import { runPawl, type RanPawl } from '../support/run-pawl.js';
import { startStack, type TestStack } from '../support/stack.js';

interface Config {
  readonly currency: string;
}

const SHOP = 'acme/prod/shop';
/** A stage that nothing but a freeze keeps from ending at once. */
const STAGES = [{ count: 1, bakeMs: 3_600_000 }, { percent: 100 }];

let stack: TestStack;
let ada: AdminClient;
let fleet: Scope<Config>[];
let release: ReleaseView;

const pawl = (...args: string[]): Promise<RanPawl> =>
  runPawl([...args, '--actor', 'eve'], { PAWL_URL: stack.controlPlane.url });
const asJson = async <T>(...args: string[]): Promise<T> => {
  const { code, out, err } = await pawl('-o', 'json', ...args);
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as T;
};
const reading = (currency: string): number =>
  fleet.filter(({ current }) => current.currency === currency).length;

beforeAll(async () => {
  stack = await startStack();
  ada = stack.admin('ada');
  await stack.promote('acme/prod', { currency: 'EUR' });
  await stack.promote('zoo', { currency: 'EUR' });
  fleet = await Promise.all(
    [1, 2, 3].map(async (number) => {
      const consumer = { workload: 'shop', consumerId: `shop-${number}` };
      return (await stack.connectSdk(consumer)).open<Config>(SHOP);
    }),
  );
  await stack.converged(SHOP, 3);
  await ada.putConfig('acme/prod', { json: { currency: 'SEK' } }, { expect: 1 });
  const strategy = { stages: STAGES, gates: [], preflight: false };
  release = await ada.release('acme/prod', { action: 'promote', strategy });
  await eventually(() => expect(reading('SEK')).toBe(1));
  await stack.converged(SHOP, 3);
});
afterAll(() => stack?.stop());

it('what is under way is listed, and summed up by address and workload', async () => {
  const { items } = await asJson<{ items: ReleaseItem[] }>('releases');
  const { begunAt } = release.staged ?? {};
  expect(items).toEqual([
    {
      ...{ id: release.staged?.id, address: 'acme/prod', state: 'rolling', strategy: 'inline' },
      ...{ candidate: 2, stableVersion: 1, stage: 0, stages: 2, releaseVersion: 2 },
      ...{ begunAt, begunBy: 'ada' },
    },
  ]);
  const counts = { live: 1, applied: 1, rejected: 0, lagging: 0, lost: 0 };
  await eventually(async () => {
    const summary = await asJson<ReleaseSummary>('releases', release.staged?.id ?? '');
    expect(summary).toMatchObject({
      ...items[0],
      candidates: counts,
      addresses: [{ address: SHOP, candidates: counts }, { address: 'acme/prod' }],
      byWorkload: [{ workload: 'shop', ...counts }],
      rejections: [],
    });
  });
  const gone = await pawl('releases', 'no-such-release');
  expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('look into the history')]);
});

it('a preview of another release says whom each of its stages would reach', async () => {
  const promote = { strategy: 'canary', conflict: 'supersede' } as const;
  const { valid, stages = [] } = await ada.preview('acme/prod', {
    document: { currency: 'NOK' },
    promote,
  });
  expect([valid, stages.map(({ instances }) => instances)]).toEqual([true, [1, 1, 3]]);
  expect(stages[2]).toMatchObject({
    byWorkload: [{ workload: 'shop', instances: 3, of: 3 }],
    addresses: [{ address: SHOP, instances: 3 }],
  });
  const refused = await pawl('promote', 'acme/prod', '--to', '9', '--dry-run');
  expect([refused.code, refused.out]).toEqual([1, expect.stringContaining('acme/prod')]);
});

it('a freeze of everything holds it, and refuses what goes forward', async () => {
  const { code, out, err } = await pawl('freeze', '--all', '--reason', 'incident 12');
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain('acme is frozen: acme:release-policy version 1\n');
  expect(out).toContain('zoo is frozen: zoo:release-policy version 1\n');
  expect(out).toContain('2 scopes are frozen\n');
  for (const words of [
    ['promote', 'zoo'],
    ['advance', 'acme/prod'],
  ]) {
    const refused = await pawl(...words);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('incident 12')]);
  }
  await eventually(async () => {
    const summary = await ada.releaseSummary(release.staged?.id ?? '');
    expect(summary).toMatchObject({ state: 'rolling', stage: 0, reason: 'frozen: incident 12' });
  });
  expect(reading('SEK')).toBe(1);
  const status = await pawl('status', 'acme/prod');
  expect(status.out).toContain('\nfrozen by acme:release-policy: incident 12\nend it: ');
  expect(status.out).toMatch(/\ngo on at once: .* advance acme\/prod --freeze-exception 'why'\n/);
});

it('an exception goes through', async () => {
  const why = 'it ends the incident';
  const { code, err } = await pawl('advance', 'acme/prod', '--freeze-exception', why);
  expect([code, err]).toEqual([0, '']);
  await eventually(() => expect(reading('SEK')).toBe(3));
});

it('who did what, where and why is told, over all addresses', async () => {
  const { items } = await asJson<{ items: AuditItem[] }>('changes', '--since', '1h');
  const told = items.map(({ author, address, kind, action, reason, message }) =>
    [author, address, action ?? kind, reason ?? message].filter(Boolean).join(' '),
  );
  expect(told).toContain('eve acme:release-policy definition incident 12');
  expect(told).toContain('eve zoo:release-policy promote incident 12');
  expect(told).toContain('eve acme/prod advance freeze exception: it ends the incident');
  expect(told).toContain('ada acme/prod promote inline: stage 1 of 2');
  const [newest] = items;
  const since = newest?.at ?? '';
  const recent = await ada.changes({ since, limit: 1 });
  expect(recent.items).toEqual([newest]);
  const later = new Date(Date.parse(since) + 60_000).toISOString();
  expect((await ada.changes({ since: later })).items).toEqual([]);
});

it('what each instance ran before, and runs now, is told by any node', async () => {
  const before = (await ada.rollout(SHOP)).published?.version ?? 0;
  const [, promoted] = (await ada.history('acme/prod', { limit: 2 })).items;
  const then = promoted?.at ?? '';
  await eventually(async () => {
    const now = await asJson<ConsumersThen>('consumers', SHOP, '--at', '0s');
    expect(now.items.map(({ state }) => state)).toEqual(['applied', 'applied', 'applied']);
    expect(now.published?.version).toBe(before);
  });
  const past = await asJson<ConsumersThen>('consumers', SHOP, '--at', then);
  expect(past.items.map(({ consumerId }) => consumerId)).toEqual(['shop-1', 'shop-2', 'shop-3']);
  expect(past.items.every(({ version }) => version < before)).toBe(true);
  const early = await pawl('consumers', SHOP, '--at', '6d');
  expect([early.code, early.err]).toEqual([1, expect.stringContaining('is known since')]);
});

it('goes forward again once the freeze is over', async () => {
  const { code, out, err } = await pawl('unfreeze', '--all');
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain('2 scopes are unfrozen\n');
  expect((await ada.getConfig('zoo:release-policy')).document).toEqual({});
  await ada.putConfig('zoo', { json: { currency: 'SEK' } }, { expect: 1 });
  expect(await ada.release('zoo', { action: 'promote' })).toMatchObject({ stableVersion: 2 });
  await eventually(async () => {
    expect(await ada.getRelease('acme/prod')).toMatchObject({ state: 'idle', stableVersion: 2 });
  });
  expect((await ada.releases()).items).toEqual([]);
});

it('what became of a release is told once it has ended, and by which policy it went', async () => {
  const id = release.staged?.id ?? '';
  const told = await asJson<EndedReleaseSummary>('releases', id);
  expect(told).toMatchObject({
    ...{ id, address: 'acme/prod', state: 'ended', outcome: 'completed', strategy: 'inline' },
    ...{ candidate: 2, stableVersion: 1, stage: 1, stages: 2, begunBy: 'ada', endedBy: 'pawl' },
  });
  const done = told.transitions.map(({ author, action, releaseId }) => [author, action, releaseId]);
  expect(done).toEqual([
    ['ada', 'promote', id],
    ['eve', 'advance', id],
    ['pawl', 'advance', id],
  ]);
  const text = await pawl('releases', id);
  expect([text.code, text.out]).toEqual([0, expect.stringContaining('reached everybody')]);

  const policy = { strategies: { careful: { stages: STAGES, gates: [], preflight: false } } };
  const written = await ada.putConfig('zoo:release-policy', { json: policy }, { expect: 'any' });
  await ada.release('zoo:release-policy', { action: 'promote' });
  const policyVersion = { address: 'zoo:release-policy', version: written.version };
  await ada.putConfig('zoo', { json: { currency: 'DKK' } }, { expect: 'any' });
  const begun = await ada.release('zoo', { action: 'promote', strategy: 'careful' });
  expect(begun.staged).toMatchObject({ strategy: 'careful', policyVersion });
  expect((await ada.rollout('zoo')).releases).toMatchObject([
    { strategy: 'careful', policyVersion },
  ]);
  await ada.release('zoo', { action: 'abort', reason: 'incident 13: 5 of 9 orders are lost' });
  const ended = await asJson<{ items: EndedRelease[] }>('releases', '--state', 'ended');
  expect(ended.items.map((item) => item.id)).toEqual([begun.staged?.id, id]);
  expect(ended.items[0]).toMatchObject({
    ...{ outcome: 'aborted', stage: 0, strategy: 'careful', policyVersion },
    reason: 'incident 13: 5 of 9 orders are lost',
  });
  const [last] = (await ada.endedReleases({ limit: 1 })).items;
  expect(last).toEqual(ended.items[0]);
  const later = new Date(Date.parse(last?.endedAt ?? '') + 60_000).toISOString();
  expect((await ada.endedReleases({ since: later })).items).toEqual([]);
});
