import { address } from '@pawl/contracts';
import type { JsonValue, ReleaseRequest, Strategy } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';

const AT = 'acme/prod';
const POLICY = 'acme:release-policy';
const CAREFUL = { preset: 'canary', percent: 5 } as const;
const WEAK: Strategy = {
  stages: [{ percent: 0.01 }, { percent: 100 }],
  gates: [],
  preflight: false,
};
const WHY = 'the mend of incident 12';
const NOTED = `other than the demanded careful: ${WHY}`;

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await world.put(AT, { x: 1 });
  for (const x of [2, 3]) await world.over(AT, { x });
  await world.put(POLICY, {});
  await world.promote(AT, 1);
});

async function policy(document: JsonValue): Promise<void> {
  await world.over(POLICY, document);
  expect(code(await world.promote(POLICY))).toBe('ok');
}

const demand = (): Promise<void> => policy({ demand: 'careful', strategies: { careful: CAREFUL } });
const promote = (more: Partial<ReleaseRequest>): ReturnType<EngineWorld['release']> =>
  world.release(AT, { action: 'promote', targetVersion: 2, ...more });
const inMs = (ms: number): string => new Date(world.time.wallMs() + ms).toISOString();

describe('a strategy that is demanded', () => {
  it.each([
    [WEAK, {}],
    ['canary', {}],
    [{ ...CAREFUL, gates: [] }, { reason: ' ' }],
    ['linear', { conflict: 'queue' }],
  ] as const)('is not replaced by another: %j %j', async (strategy, more) => {
    await demand();
    const outcome = await promote({ strategy: strategy, ...more });
    expect(code(outcome)).toBe('strategy-required');
    expect(outcome).toMatchObject({
      problem: {
        detail: expect.stringMatching(/^acme:release-policy demands .* "careful"/) as string,
      },
    });
    expect(code(await promote({ strategy: WEAK, at: inMs(60_000) }))).toBe('strategy-required');
    const previewed = await world.use.preview(address(AT), { promote: { strategy: WEAK } });
    expect(previewed).toMatchObject({ value: { errors: [{ keyword: 'strategy-required' }] } });
  });

  it('is replaced with a reason, and the history says so', async () => {
    await demand();
    const asked = { strategy: WEAK, reason: WHY };
    const previewed = await world.use.preview(address(AT), { promote: asked });
    expect(previewed).toMatchObject({ value: { valid: true, strategy: 'inline' } });
    expect(code(await promote(asked))).toBe('ok');
    expect((await world.history(AT))[0]?.reason).toBe(NOTED);
  });

  it('but all at once is refused with a reason too', async () => {
    await demand();
    const outcome = await promote({ strategy: 'all-at-once', reason: WHY });
    expect(code(outcome)).toBe('strategy-required');
  });

  it.each([[undefined], ['careful'], [CAREFUL]])(
    'is taken by what is the same: %j',
    async (same) => {
      await demand();
      const strategy = same === undefined ? {} : { strategy: same };
      expect(code(await promote({ ...strategy, reason: WHY }))).toBe('ok');
      expect((await world.history(AT))[0]?.reason).toBe(WHY);
    },
  );

  it('is told of what was queued, and of what began', async () => {
    await demand();
    expect(code(await promote({ strategy: WEAK, reason: WHY, at: inMs(1_000) }))).toBe('ok');
    expect((await world.releaseOf(AT)).queued?.reason).toBe(NOTED);
    await world.pass(3_000);
    const [began, queued] = await world.history(AT, 2);
    expect(queued?.reason).toBe(NOTED);
    expect(began).toMatchObject({ action: 'promote', version: 2 });
    expect(began?.reason?.split(NOTED)).toHaveLength(2);
  });

  it('is kept by what was queued under its name, whatever the policy makes of it meanwhile', async () => {
    await demand();
    expect(code(await promote({ at: inMs(1_000) }))).toBe('ok');
    await policy({ demand: 'careful', strategies: { careful: { preset: 'linear' } } });
    await world.pass(3_000);
    expect(await world.releaseOf(AT)).toMatchObject({
      candidate: 2,
      staged: { strategy: 'careful' },
    });
  });

  it('drops what was queued without it, and without a reason', async () => {
    expect(code(await promote({ strategy: WEAK, at: inMs(1_000) }))).toBe('ok');
    await demand();
    await world.pass(3_000);
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 1 });
    const [dropped] = await world.history(AT);
    expect(dropped).toMatchObject({ action: 'cancel', version: 2 });
    expect(dropped?.reason).toContain('strategy-required');
  });
});
