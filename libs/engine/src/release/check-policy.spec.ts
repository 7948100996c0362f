import { address } from '@pawl/contracts';
import type { JsonValue } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { checkPolicy } from './check-policy.js';

const ABOVE = 'acme:release-policy';
const BELOW = 'acme/prod:release-policy';
const CAREFUL = { preset: 'canary', percent: 5 };
const STAGES = [{ count: 1 }, { percent: 100 }];

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put('acme/prod', { x: 1 });
  await world.promote('acme/prod');
});

async function policy(at: string, document: JsonValue): Promise<void> {
  const known = (await world.use.getConfig(address(at))).ok;
  expect(code(known ? await world.over(at, document) : await world.put(at, document))).toBe('ok');
  expect(code(await world.promote(at))).toBe('ok');
}

describe('a policy that nothing could be released by', () => {
  it.each([
    ['/strategies/half', { strategies: { half: { stages: [{ percent: 50 }] } } }, /last stage/],
    ['/strategies/a~1b', { strategies: { 'a/b': { preset: 'canary', factor: 2 } } }, /no factor/],
    ['/strategies/twice', { strategies: { twice: 'careful' } }, /strategies known/],
    ['/demand', { demand: 'nowhere', strategies: { careful: CAREFUL } }, /careful, all-at-once/],
    ['/demand', { demand: 'quick', strategies: { quick: 'all-at-once' } }, /has stages/],
  ])('is refused as it is written: %s', async (pointer, document, message) => {
    const outcome = await world.put(ABOVE, document);
    expect(code(outcome)).toBe('schema-violation');
    expect(outcome).toMatchObject({
      problem: {
        errors: [{ address: ABOVE, pointer, message: expect.stringMatching(message) as string }],
      },
    });
  });

  const HOUR = '2026-12-01T03:00:00Z';
  it.each([
    ['since', { since: '2026-12-01T03:00:00+05' }, /no time that is known/],
    ['until', { since: HOUR, until: '2026-12-31T23:59:60Z' }, /no time that is known/],
    ['until', { since: HOUR, until: HOUR }, /is not after/],
    ['until', { since: HOUR, until: '2026-12-01T04:59:00+02:00' }, /is not after/],
    ['timeZone', { timeZone: 'Europe/Berlim' }, /no time zone .*: write it as Europe\/Berlin/],
    ['timeZone', { from: '22:00', timeZone: ' ' }, /no time zone that is known/],
    ['reason', { reason: ' \n' }, /needs a reason that is not blank/],
  ])('is refused with a freeze that says nothing: %s of %o', async (key, said, message) => {
    const freezes = [
      { reason: 'weekend', days: ['sun'], timeZone: 'Asia/Tokyo' },
      { reason: 'audit', ...said },
    ];
    const outcome = await world.put(ABOVE, { freezes });
    expect(outcome).toMatchObject({
      problem: {
        code: 'schema-violation',
        errors: [
          {
            ...{ address: ABOVE, pointer: `/freezes/1/${key}` },
            message: expect.stringMatching(message) as string,
          },
        ],
      },
    });
  });

  it.each(['', ' \t'])('is refused with a freeze for no reason: %j', async (frozen) => {
    const outcome = await world.put(ABOVE, { frozen });
    expect(outcome).toMatchObject({
      problem: {
        code: 'schema-violation',
        errors: [
          {
            ...{ address: ABOVE, pointer: '/frozen' },
            message: expect.stringMatching(/needs a reason .* such as "incident 12"/) as string,
          },
        ],
      },
    });
  });

  const STOOD = [
    { reason: 'audit', since: '2026-12-01T03:00:00+05' },
    { reason: 'night', timeZone: 'Moon/Base' },
    { reason: ' ' },
  ];
  it.each(STOOD)('keeps nobody from freezing by what stood before, or stands above: %j', (one) => {
    const freezes = [one];
    const own = { freezes, frozen: 'incident 12' };
    const of = { address: BELOW, parseTime: (text: string) => Date.parse(text), policy: own };
    expect(checkPolicy({ ...of, before: null, layers: [own] })).toHaveLength(1);
    expect(checkPolicy({ ...of, before: { freezes }, layers: [own] })).toEqual([]);
    const layers = [{ freezes }, { frozen: 'incident 12' }];
    expect(checkPolicy({ ...of, before: null, layers })).toEqual([]);
  });

  it('keeps nobody from changing one that is frozen for no reason, here or above', () => {
    const of = { address: BELOW, parseTime: (text: string) => Date.parse(text) };
    const [policy, own] = [{ frozen: '', demand: 'canary' }, { demand: 'canary' }];
    expect(checkPolicy({ ...of, policy, before: null, layers: [policy] })).toHaveLength(1);
    expect(checkPolicy({ ...of, policy, before: { frozen: '' }, layers: [policy] })).toEqual([]);
    expect(checkPolicy({ ...of, policy, before: null, layers: [{ frozen: '' }, own] })).toEqual([]);
  });

  it('may demand what only a policy above has', async () => {
    await policy(ABOVE, { strategies: { careful: CAREFUL } });
    await policy(BELOW, { demand: 'careful' });
    expect(await world.over('acme/prod', { x: 2 })).toMatchObject({ ok: true });
    expect(await world.promote('acme/prod')).toMatchObject({
      value: { body: { staged: { strategy: 'careful' } } },
    });
  });

  it('is refused where it is promoted, for what a policy below makes of it', async () => {
    await policy(ABOVE, { strategies: { careful: CAREFUL } });
    await policy(BELOW, { demand: 'careful' });
    const written = await world.over(ABOVE, { strategies: {} });
    expect(written).toMatchObject({
      value: { body: { warnings: [{ address: BELOW, pointer: '/demand' }] } },
    });
    const outcome = await world.promote(ABOVE);
    expect(code(outcome)).toBe('schema-violation');
    expect(outcome).toMatchObject({
      problem: { errors: [{ address: BELOW, pointer: '/demand' }] },
    });
  });

  it('is refused where two policies say a part of one strategy, with what to write', async () => {
    await policy(ABOVE, { strategies: { careful: CAREFUL } });
    const outcome = await world.put(BELOW, { strategies: { careful: { stages: STAGES } } });
    expect(outcome).toMatchObject({
      problem: {
        errors: [
          {
            pointer: '/strategies/careful',
            message: expect.stringMatching(/takes no stages.*"\$pawl": "replace"/) as string,
          },
        ],
      },
    });
    await policy(BELOW, { strategies: { careful: { $pawl: 'replace', stages: STAGES } } });
    await world.over('acme/prod', { x: 2 });
    const promote = { action: 'promote', strategy: 'careful' };
    expect(await world.release('acme/prod', promote)).toMatchObject({
      value: {
        body: { staged: { strategy: 'careful', stages: [{ count: 1 }, { percent: 100 }] } },
      },
    });
  });

  it('by force keeps nobody from freezing, and tells where the demand comes from', async () => {
    await policy(ABOVE, {});
    await policy(ABOVE, { strategies: { careful: CAREFUL } });
    await policy(BELOW, { demand: 'careful' });
    const back = { action: 'rollback', targetVersion: 1 };
    expect(code(await world.release(ABOVE, back))).toBe('schema-violation');
    const forced = { ...back, force: true, reason: 'to see' };
    expect(code(await world.release(ABOVE, forced))).toBe('ok');
    await world.over('acme/prod', { x: 2 });
    const outcome = await world.promote('acme/prod');
    expect(code(outcome)).toBe('unknown-strategy');
    expect(outcome).toMatchObject({
      problem: { detail: expect.stringContaining(`"careful", which ${BELOW} demands`) as string },
    });
    await policy(BELOW, { demand: 'careful', frozen: 'incident 12' });
    expect(code(await world.promote('acme/prod'))).toBe('frozen');
  });
});

describe('a strategy by a name that is none', () => {
  it('is refused with those that the policy has', async () => {
    await policy(ABOVE, { strategies: { careful: CAREFUL } });
    const outcome = await world.release('acme/prod', { action: 'promote', strategy: 'fast' });
    expect(code(outcome)).toBe('unknown-strategy');
    expect(outcome).toMatchObject({
      problem: { detail: expect.stringContaining('careful, all-at-once, canary') as string },
    });
  });
});
