import { address } from '@pawl/contracts';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const POLICY = 'acme:release-policy';
const HOUR_MS = 3_600_000;

let world: EngineWorld;
/** Thursday 2026-01-01, midnight UTC. */
let startMs: number;
beforeEach(async () => {
  world = await claimedWorld();
  startMs = world.time.wallMs();
  for (const x of [1, 2, 3])
    await world.put('acme/prod', { x }, { kind: x === 1 ? 'none-given' : 'match-any' });
  await world.promote('acme/prod', 1);
});

async function policy(document: object, at = POLICY): Promise<void> {
  const known = (await world.use.getConfig(address(at))).ok;
  const outcome = known
    ? await world.over(at, document as never)
    : await world.put(at, document as never);
  expect(code(outcome)).toBe('ok');
  expect(code(await world.promote(at))).toBe('ok');
}

describe('a release policy', () => {
  it('is checked as it is written, with what is wrong and where', async () => {
    const outcome = await world.put(POLICY, {
      strategies: { slow: { stages: [{ percent: 200 }] } },
    });
    expect(code(outcome)).toBe('schema-violation');
    expect(outcome).toMatchObject({
      problem: { errors: [{ address: POLICY, pointer: '/strategies/slow/stages/0/percent' }] },
    });
    expect(code(await world.put(POLICY, { demnd: 'slow' }))).toBe('schema-violation');
  });

  it('gives its strategies to what lies below, by name', async () => {
    const slow = { stages: [{ percent: 10, bakeMs: HOUR_MS }, { percent: 100 }] };
    await policy({ strategies: { slow } });
    const outcome = await world.release('acme/prod', { action: 'promote', strategy: 'slow' });
    expect(outcome).toMatchObject({
      value: { body: { state: 'rolling', staged: { strategy: 'slow', stage: 0 } } },
    });
    const again = await world.release('acme/prod', { action: 'promote', strategy: 'slow' });
    expect(again).toMatchObject({ value: { body: { releaseVersion: 2 } } });
    const other = await world.release('acme/prod', { action: 'promote', strategy: 'fast' });
    expect(code(other)).toBe('unknown-strategy');
  });

  it('demands a strategy: it is taken where none is named, and all at once is refused', async () => {
    await policy({ strategies: { slow: { preset: 'canary' } }, demand: 'slow' });
    const outright = { action: 'promote', strategy: 'all-at-once' };
    expect(code(await world.release('acme/prod', outright))).toBe('strategy-required');
    const outcome = await world.promote('acme/prod');
    expect(outcome).toMatchObject({ value: { body: { staged: { strategy: 'slow' } } } });
    const other = { action: 'promote', strategy: 'linear', reason: 'in a hurry' };
    expect(code(await world.release('acme/prod', other))).toBe('release-in-flight');
  });

  it.each([
    { stages: [{ percent: 100 }], gates: [] },
    'quick',
    { preset: 'linear', stepPercent: 100 } as const,
  ])('demands stages, not only a name: %j', async (strategy) => {
    await policy({ demand: 'canary', strategies: { quick: 'all-at-once' } });
    const outcome = await world.release('acme/prod', { action: 'promote', strategy });
    expect(code(outcome)).toBe('strategy-required');
  });

  it('is inherited, and overridden below', async () => {
    await policy({ demand: 'canary' });
    await policy({ demand: null }, 'acme/prod:release-policy');
    expect(await world.promote('acme/prod')).toMatchObject({ value: { body: { state: 'idle' } } });
  });

  it('freezes what goes forward, but neither what goes back nor itself', async () => {
    await policy({ frozen: 'incident 12' });
    const refused = await world.promote('acme/prod', 2);
    expect(code(refused)).toBe('frozen');
    expect(refused).toMatchObject({
      problem: {
        detail: expect.stringMatching(
          /^acme\/prod is frozen by acme:release-policy: incident 12; .* --freeze-exception, .* freezeException/,
        ) as string,
      },
    });
    const excepted = {
      ...{ action: 'promote', targetVersion: 2 },
      ...{ reason: 'the mend', freezeException: 'it ends the incident' },
    };
    expect(code(await world.release('acme/prod', excepted))).toBe('ok');
    const { value } = (await world.use.listHistory(address('acme/prod'), { limit: 1 })) as {
      value: { items: readonly { reason?: string }[] };
    };
    expect(value.items[0]?.reason).toBe('the mend; freeze exception: it ends the incident');
    expect(code(await world.release('acme/prod', { action: 'rollback', targetVersion: 1 }))).toBe(
      'ok',
    );
    await policy({});
    expect(code(await world.promote('acme/prod', 2))).toBe('ok');
  });

  it('freezes what lies below, whatever a policy there says', async () => {
    await policy({ frozen: 'incident 12' });
    await policy({ frozen: null, freezes: [] }, 'acme/prod:release-policy');
    expect(code(await world.promote('acme/prod', 2))).toBe('frozen');
  });

  it('freezes what comes to its scope from above', async () => {
    await policy({ frozen: 'incident 12' }, 'acme/prod/pay:release-policy');
    const refused = await world.promote('acme/prod', 2);
    expect(code(refused)).toBe('frozen');
    expect(refused).toMatchObject({
      problem: {
        detail: expect.stringContaining(
          'frozen by acme/prod/pay:release-policy, which this reaches: incident 12;',
        ) as string,
      },
    });
    await world.put('acme/prod/mail', { x: 1 });
    expect(code(await world.promote('acme/prod/mail'))).toBe('ok');
  });

  it('is told of every address that it freezes, and of nothing else', async () => {
    const at = async (text: string) => (await world.rollout(text)).frozen;
    await world.put('acme/prod/pay', { x: 1 });
    await policy({ freezes: [] });
    expect(await at('acme/prod')).toBeUndefined();
    await policy({ frozen: 'the mend' }, 'acme/prod/pay:release-policy');
    const below = { scope: 'acme/prod/pay', reason: 'the mend' };
    expect([await at('acme/prod'), await at('acme/prod/pay')]).toEqual([below, below]);
    const until = new Date(startMs + HOUR_MS).toISOString();
    await policy({ freezes: [{ reason: 'year end', until }] });
    const byClock = { scope: 'acme', reason: 'year end', byClock: true };
    expect([await at('acme/prod'), await at('acme/prod/pay')]).toEqual([byClock, byClock]);
    const release = await world.use.getRelease(address('acme/prod'));
    expect(release).toMatchObject({ value: { frozen: byClock } });
    expect(await at(POLICY)).toBeUndefined();
    world.time.advance(HOUR_MS);
    expect(await at('acme/prod/pay')).toEqual(below);
  });

  it('by the clock refuses until its end, which it names', async () => {
    const until = new Date(startMs + HOUR_MS).toISOString();
    await policy({ freezes: [{ reason: 'year end', until }] });
    expect(await world.promote('acme/prod', 2)).toMatchObject({
      problem: {
        detail: expect.stringContaining(
          `frozen until ${until} by acme:release-policy: year end;`,
        ) as string,
      },
    });
  });

  it('by the clock ends when no window freezes the address any more, of whichever policy', async () => {
    const at = (hours: number): string => new Date(startMs + hours * HOUR_MS).toISOString();
    const frozen = async (text: string) => (await world.rollout(text)).frozen;
    const audit = { reason: 'audit', until: at(1) };
    await policy({ freezes: [audit, { reason: 'sale', since: at(1), until: at(2) }] });
    const ofPay = [{ reason: 'rent day', since: at(1.5), until: at(3) }];
    await world.put('acme/prod/mail', { x: 1 });
    await policy({ freezes: ofPay }, 'acme/prod/pay:release-policy');
    const now = { scope: 'acme', reason: 'audit', byClock: true };
    expect(await frozen('acme/prod')).toEqual({ ...now, until: at(3) });
    expect(await frozen('acme/prod/mail')).toEqual({ ...now, until: at(2) });
    expect(await world.promote('acme/prod', 2)).toMatchObject({
      problem: {
        detail: expect.stringContaining(`until ${at(3)} by acme:release-policy`) as string,
      },
    });
    // One that somebody has set has no end that is known.
    await policy({ frozen: 'the mend' }, 'acme/prod/pay:release-policy');
    expect(await frozen('acme/prod')).toEqual(now);
    await policy({ freezes: ofPay }, 'acme/prod/pay:release-policy');
    world.time.advance(3 * HOUR_MS - 1);
    expect(code(await world.promote('acme/prod', 2))).toBe('frozen');
    world.time.advance(1);
    expect(code(await world.promote('acme/prod', 2))).toBe('ok');
  });

  it('by the clock does not end later for what is pinned below', async () => {
    const at = (hours: number): string => new Date(startMs + hours * HOUR_MS).toISOString();
    await world.put('acme/prod/pay', { x: 1 });
    await world.promote('acme/prod/pay');
    const pin = { action: 'pin', ancestor: 'acme/prod', reason: 'it is sick', until: at(9) };
    expect(code(await world.release('acme/prod/pay', pin))).toBe('ok');
    await policy({ freezes: [{ reason: 'audit', until: at(1) }] });
    await policy({ frozen: 'the mend' }, 'acme/prod/pay:release-policy');
    expect((await world.rollout('acme/prod')).frozen).toMatchObject({ until: at(1) });
  });

  it('is told of the releases that it holds, of each by its own address', async () => {
    const stages = [{ count: 1, bakeMs: 1_000 }, { percent: 100 }];
    const request = { action: 'promote', strategy: { stages, gates: [] } };
    const begun = await world.release('acme/prod', request);
    expect(begun).toMatchObject({ ok: true, value: { body: { state: 'rolling' } } });
    expect(begun).not.toHaveProperty('value.body.frozen');
    await world.put('acme/prod/mail', { x: 1 });
    await policy({ frozen: 'the mend' }, 'acme/prod/pay:release-policy');
    const frozen = { scope: 'acme/prod/pay', reason: 'the mend' };
    const mail = await world.rollout('acme/prod/mail');
    expect([mail.frozen, mail.releases?.[0]?.frozen]).toEqual([undefined, frozen]);
    const id = mail.releases?.[0]?.id ?? '';
    const summary = await world.use.sumUpRelease(address('acme/prod'), id);
    expect(summary).toMatchObject({ value: { frozen } });
    const paused = await world.release('acme/prod', { action: 'pause' });
    expect(paused).toMatchObject({ value: { body: { state: 'paused', frozen } } });
  });

  it('holds a release in stages where it is, and lets it go on afterwards', async () => {
    await policy({ frozen: null });
    const stages = [{ count: 1, bakeMs: 1_000 }, { percent: 100 }];
    await world.release('acme/prod', { action: 'promote', strategy: { stages, gates: [] } });
    await policy({ frozen: 'incident 12' });
    expect(code(await world.release('acme/prod', { action: 'advance' }))).toBe('frozen');
    expect(code(await world.release('acme/prod', { action: 'pause' }))).toBe('ok');
    expect(code(await world.release('acme/prod', { action: 'resume' }))).toBe('frozen');
    expect(code(await world.release('acme/prod', { action: 'abort' }))).toBe('ok');
  });
});

describe('a freeze by the clock', () => {
  const promotedAt = async (hours: number): Promise<string> => {
    world.time.advance(startMs + hours * HOUR_MS - world.time.wallMs());
    return code(await world.promote('acme/prod', 2));
  };

  it('holds from its begin up to its end', async () => {
    const until = new Date(startMs + 2 * HOUR_MS).toISOString();
    const since = new Date(startMs + HOUR_MS).toISOString();
    await policy({ freezes: [{ reason: 'year end', since, until }] });
    expect(await promotedAt(1)).toBe('frozen');
    expect(await promotedAt(2)).toBe('ok');
  });

  it('holds on days of the week by the clocks of a time zone', async () => {
    const friday = { reason: 'no Fridays', days: ['fri'], from: '16:00', timeZone: 'Asia/Tokyo' };
    await policy({ freezes: [friday] });
    // Friday 2026-01-02, 16:00 in Tokyo is 07:00 UTC; it ends at midnight there, 15:00 UTC.
    expect(await promotedAt(24 + 7)).toBe('frozen');
    expect(await promotedAt(24 + 14)).toBe('frozen');
    expect(await promotedAt(24 + 15)).toBe('ok');
  });

  it('holds over midnight, counted to the day on which it began', async () => {
    const night = { reason: 'night', days: ['thu'], from: '22:00', to: '06:00' };
    await policy({ freezes: [night] });
    expect(await promotedAt(22)).toBe('frozen');
    expect(await promotedAt(24 + 5)).toBe('frozen');
    expect(await promotedAt(24 + 6)).toBe('ok');
  });

  /** By UTC, the time of the day at which the address is frozen, of those that are asked for in turn. */
  const frozenAt = async (freeze: object, times: readonly string[]): Promise<string[]> => {
    await policy({ freezes: [{ reason: 'night', ...freeze }] });
    const frozen: string[] = [];
    for (const time of times) {
      world.time.setWall(Date.parse(time) - world.time.wallMs());
      const request = { promote: { targetVersion: 2 } };
      const preview = await world.use.preview(address('acme/prod'), request);
      if (preview.ok && !preview.value.valid) frozen.push(time.slice(11, 16));
    }
    return frozen;
  };
  const SKIPPED = { from: '02:15', to: '02:45', timeZone: 'Europe/Berlin' };

  it('by clocks that are set forward over it holds as if they had not been', async () => {
    // In Berlin it is 01:59 at 00:59 and 03:00 at 01:00.
    const times = ['00:20', '00:59', '01:00', '01:14', '01:15', '01:44', '01:45', '02:20'];
    const night = times.map((time) => `2026-03-29T${time}:00Z`);
    expect(await frozenAt(SKIPPED, ['2026-03-28T01:20:00Z', ...night])).toEqual([
      '01:20',
      '01:15',
      '01:44',
    ]);
    expect(await frozenAt(SKIPPED, ['2026-03-30T00:20:00Z', '2026-03-30T01:20:00Z'])).toEqual([
      '00:20',
    ]);
  });

  it('that begins in what they skip holds as soon as they have, on its day', async () => {
    const sunday = { days: ['sun'], from: '02:15', to: '04:00', timeZone: 'Europe/Berlin' };
    const times = ['00:59', '01:00', '01:30', '01:59', '02:00'];
    const night = times.map((time) => `2026-03-29T${time}:00Z`);
    expect(await frozenAt(sunday, night)).toEqual(['01:00', '01:30', '01:59']);
  });

  it('by clocks that are set back over it holds both times', async () => {
    // In Berlin it is 02:59 at 00:59 and 02:00 at 01:00.
    const times = ['00:14', '00:15', '00:44', '00:45', '01:14', '01:15', '01:44', '01:45'];
    const night = times.map((time) => `2026-10-25T${time}:00Z`);
    expect(await frozenAt(SKIPPED, night)).toEqual(['00:15', '00:44', '01:15', '01:44']);
  });

  it('by clocks that skip half an hour takes that half hour only', async () => {
    // On Lord Howe it is 01:59 at 15:29 and 02:30 at 15:30.
    const skipped = { from: '02:00', to: '02:30', timeZone: 'Australia/Lord_Howe' };
    const times = ['15:29', '15:30', '15:59', '16:00', '16:10'];
    const night = times.map((time) => `2026-10-03T${time}:00Z`);
    expect(await frozenAt(skipped, night)).toEqual(['15:30', '15:59']);
  });

  it('that scopes below inherit is worked out once for all of them', async () => {
    const window = { days: ['sun'], from: '10:00', to: '11:00' };
    const zones = ['Europe/Berlin', 'Asia/Tokyo'];
    await policy({ freezes: zones.map((timeZone) => ({ reason: 'mass', ...window, timeZone })) });
    for (let n = 0; n < 40; n += 1) await policy({}, `acme/prod/s${n}:release-policy`);
    await world.pass(60_000);
    const read = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts');
    expect(code(await world.promote('acme/prod', 2))).toBe('ok');
    expect(read).toHaveBeenCalled();
    expect(read.mock.calls.length).toBeLessThanOrEqual(2 * 3);
    read.mockRestore();
  });
});
