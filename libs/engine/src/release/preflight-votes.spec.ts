import type { HistoryItem, Prepare, RolloutRelease, Strategy, VoteItem } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeConsumer } from '../testing/fake-fleet.js';
import { preparesOf, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

const AT = 'acme/shop';
/** Of each stage. */
const BAKE_MS = 60_000;
const STAGES: Strategy = {
  stages: [
    { count: 1, bakeMs: BAKE_MS },
    { percent: 50, bakeMs: BAKE_MS },
    { percent: 100, bakeMs: BAKE_MS },
  ],
  gates: [],
  preflight: true,
};
/** Five rounds, and the pauses between them. */
const SILENCES_MS = 5 * 6_000 + 2_000 + 5_000 + 10_000 + 15_000;

let staged: StagedWorld;
let world: EngineWorld;
let asked: Prepare[];
let fleet: FakeConsumer[];

beforeEach(async () => {
  staged = await stagedWorld();
  ({ world } = staged);
  asked = preparesOf(world);
  await staged.promoted('acme', { currency: 'EUR' });
  await staged.promoted(AT, { max: 1 });
  fleet = await staged.fleet.add(AT, 'shop', 6);
  for (const one of fleet) one.build = 'b1';
  await staged.fleet.hello();
  await staged.fleet.pass(1_000);
});

/** A release whose first stage is reached, and half of its bake is over. */
async function begun(more: object = {}): Promise<void> {
  await staged.begun(AT, { max: 2 }, { ...(STAGES as object), ...more });
  // Not at the time of a heartbeat.
  await staged.fleet.pass(BAKE_MS / 2 + 1_000);
  expect(await stage()).toBe(0);
  asked.length = 0;
}

async function stage(): Promise<number | undefined> {
  return (await world.releaseOf(AT)).staged?.stage;
}

async function shown(): Promise<RolloutRelease | undefined> {
  return (await world.rollout(AT)).releases?.[0];
}

async function last(): Promise<Pick<HistoryItem, 'action' | 'author' | 'reason' | 'message'>> {
  const [item] = await world.history(AT);
  const { action, author, reason, message } = item ?? { action: '', author: '' };
  return { action, author, reason, message } as never;
}

/** Those that are no candidates are other processes by now, of another build. */
async function rebuilt(
  build: string,
  vote: FakeConsumer['vote'],
  count = 2,
): Promise<FakeConsumer[]> {
  const candidates = staged.fleet.candidates();
  const chosen = fleet.filter((one) => !candidates.includes(one)).slice(0, count);
  for (const one of chosen) {
    one.vote = vote;
    await one.restart(build);
  }
  await world.settle();
  return chosen;
}

const says =
  (answer: Pick<VoteItem, 'verdict' | 'pointer' | 'reason'>): FakeConsumer['vote'] =>
  () =>
    answer;
const yes = says({ verdict: 'accept' });
const no = says({ verdict: 'reject', pointer: '/max', reason: 'too many' });
const silence: FakeConsumer['vote'] = () => null;

describe('a stage that is over', () => {
  it('is followed by the next without a question where everybody is of a kind that has accepted it', async () => {
    await begun();
    // Another process of the same build, and another instance.
    await fleet.at(-1)!.restart();
    await staged.fleet.add(AT, 'shop', 1).then(([one]) => one!.restart('b1'));
    await staged.fleet.pass(BAKE_MS / 2 + 2_000);
    expect(await stage()).toBe(1);
    await staged.fleet.pass(2 * BAKE_MS + 4_000);
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 2 });
    expect(asked).toEqual([]);
    expect((await last()).reason).toBe('7 of 7 candidates have applied it');
  });

  it('is not where an instance of another build rejects it, and none of these has it', async () => {
    await begun();
    const others = await rebuilt('b2', no);
    await staged.fleet.pass(BAKE_MS / 2 - 2_000);
    expect(asked).toEqual([]);
    await staged.fleet.pass(4_000);
    expect(await last()).toMatchObject({
      ...{ action: 'abort', author: 'pawl' },
      reason:
        'preflight: 2 of 2 reject it: shop/shop-0 (build b2) at acme/shop, /max: too many; ' +
        'shop/shop-1 (build b2) at acme/shop, /max: too many',
    });
    expect(others.map(({ held }) => held?.cohort)).toEqual(['', '']);
    const history = await world.history(AT, 20);
    expect(history.filter(({ action }) => action === 'advance')).toHaveLength(1);
  });

  it('goes on once the other build has accepted it, one first, and asks it no more', async () => {
    await begun();
    const others = await rebuilt('b2', yes);
    await staged.fleet.pass(BAKE_MS / 2 + 4_000);
    expect(asked.map(({ only }) => only)).toEqual(others.map((one) => [one.incarnation]));
    expect(await stage()).toBe(1);
    expect(await last()).toEqual({
      ...{ action: 'advance', author: 'pawl', message: 'inline: stage 2 of 3' },
      reason: '1 of 1 candidates have applied it; preflight: 2 of 2 accept it',
    });
    asked.length = 0;
    await staged.fleet.pass(2 * BAKE_MS + 4_000);
    expect(await world.releaseOf(AT)).toMatchObject({ state: 'idle', stableVersion: 2 });
    expect(asked).toEqual([]);
  });

  it('pauses where the strategy says so, and asks anew when it is resumed', async () => {
    await begun({ preflight: { onRejection: 'pause' } });
    const others = await rebuilt('b2', no);
    await staged.fleet.pass(BAKE_MS / 2 + 4_000);
    expect(await last()).toMatchObject({ action: 'pause', author: 'pawl' });
    const { state, reason } = (await shown()) ?? {};
    expect(state).toBe('paused');
    expect(reason).toContain('build b2');
    for (const one of others) one.vote = yes;
    expect(await staged.act(AT, 'resume')).toBe('ok');
    await staged.fleet.pass(4_000);
    expect(await stage()).toBe(1);
  });

  it('asks everybody still to come anew where another layer was released', async () => {
    await begun();
    await staged.promoted('acme', { currency: 'SEK' });
    await staged.fleet.pass(BAKE_MS + 4_000);
    expect(asked[0]).toMatchObject({ inline: { currency: 'SEK', max: 2 } });
    expect(asked.flatMap(({ only }) => only)).toHaveLength(5);
    expect((await last()).reason).toContain('preflight: 5 of 5 accept it');
  });

  it('asks anew about what is read now where another layer is released meanwhile', async () => {
    await begun();
    const [one] = await rebuilt('b2', silence, 1);
    await staged.fleet.pass(BAKE_MS / 2 + 1_000);
    expect(asked.at(-1)).toMatchObject({ inline: { currency: 'EUR', max: 2 } });
    await staged.promoted('acme', { currency: 'SEK' });
    one!.vote = yes;
    await staged.fleet.pass(20_000);
    expect(asked.at(-1)).toMatchObject({ inline: { currency: 'SEK', max: 2 } });
    expect(await stage()).toBe(1);
    expect((await last()).reason).toContain('preflight: 5 of 5 accept it');
  });

  it('does not go on by votes that another commit has made void', async () => {
    await begun();
    await world.over('acme', { currency: 'SEK' });
    while (((await shown())?.bakeLeftMs ?? 0) > 1_000) await staged.fleet.pass(1_000);
    let commit = (): void => undefined;
    const held = new Promise<void>((resolve) => (commit = resolve));
    world.truth.beforeCommit = () => held;
    const promoted = world.promote('acme');
    // The next stage waits behind it.
    await staged.fleet.pass(3_000);
    world.truth.beforeCommit = () => Promise.resolve();
    commit();
    await promoted;
    await world.settle();
    expect(await stage()).toBe(0);
    expect(asked).toEqual([]);
    await staged.fleet.pass(6_000);
    expect(asked.at(-1)).toMatchObject({ inline: { currency: 'SEK', max: 2 } });
    expect(await stage()).toBe(1);
  });
});

describe('while those of another build are asked', () => {
  it('the release stays where it is, and the status shows how far it is', async () => {
    await begun();
    await rebuilt('b2', silence);
    await staged.fleet.pass(BAKE_MS / 2 + 2_000);
    expect(await shown()).toMatchObject({
      ...{ state: 'rolling', stage: 0, bakeLeftMs: 0 },
      asking: { state: 'asking', asked: 2, accepted: 0, silent: 2 },
      reason: 'those who have not accepted it yet are asked first',
      candidates: { live: 1, applied: 1 },
    });
    expect(await shown()).not.toHaveProperty('preflight');
    let now = await shown();
    for (let n = 0; n < 10 && now?.asking?.state !== 'waiting'; n += 1) {
      await staged.fleet.pass(500);
      now = await shown();
    }
    expect(now?.asking).toMatchObject({ state: 'waiting', asked: 2, silent: 2 });
    expect(now?.reason).toContain('2 silent');
  });

  it('who is silent is asked again, and then it is paused', async () => {
    await begun();
    const [one] = await rebuilt('b2', silence, 1);
    await staged.fleet.pass(BAKE_MS / 2 + SILENCES_MS);
    expect(new Set(asked.flatMap(({ only }) => only))).toEqual(new Set([one!.incarnation]));
    expect(new Set(asked.map(({ id }) => id)).size).toBe(5);
    expect(await last()).toMatchObject({
      ...{ action: 'pause', author: 'pawl' },
      reason:
        'preflight: 0 of 1 accept it; ' +
        '1 silent (blocked, gone, or of an SDK older than preflights): shop/shop-0 (build b2)',
    });
    expect(await stage()).toBe(0);
  });

  it('it goes on over silence where it is to, and does not ask these again', async () => {
    await begun({ preflight: { onSilence: 'proceed' } });
    await rebuilt('b2', silence, 1);
    await staged.fleet.pass(BAKE_MS / 2 + SILENCES_MS);
    expect(await stage()).toBe(1);
    expect((await last()).reason).toContain('preflight: 0 of 1 accept it; 1 silent');
    asked.length = 0;
    await staged.fleet.pass(BAKE_MS);
    expect(await stage()).toBe(2);
    expect(asked).toEqual([]);
  });

  it('the deadline for progress counts on', async () => {
    await begun({ progressMs: 10_000 });
    await rebuilt('b2', silence, 1);
    await staged.fleet.pass(BAKE_MS / 2 + 14_000);
    expect(await last()).toMatchObject({ action: 'pause', author: 'pawl' });
    expect((await last()).reason).toContain('no progress for 10 s: ');
  });

  it('a rejection by its candidates stops it all the same', async () => {
    await begun({ gates: [{ kind: 'rejections', limit: 0, onFailure: 'abort' }] });
    await rebuilt('b2', silence, 1);
    await staged.fleet.pass(BAKE_MS / 2 + 1_000);
    const [candidate] = staged.fleet.candidates();
    candidate!.judge = () => 'broken';
    await candidate!.restart();
    await staged.fleet.pass(2_000);
    expect(await last()).toMatchObject({ action: 'abort', author: 'pawl' });
    expect((await last()).reason).not.toContain('preflight');
  });

  it('a person takes it further, which the history tells; the stage after that is asked about', async () => {
    await begun();
    const [one] = await rebuilt('b2', silence, 1);
    await staged.fleet.pass(BAKE_MS / 2 + 2_000);
    expect(await staged.act(AT, 'advance')).toBe('ok');
    expect(await last()).toMatchObject({
      ...{ action: 'advance', author: 'anonymous' },
      message: 'inline: stage 2 of 3, without the votes of 1 instance',
    });
    await one!.restart();
    one!.vote = yes;
    await staged.fleet.pass(BAKE_MS + 4_000);
    expect(await stage()).toBe(2);
  });

  it('a skip by a person passes over all stages', async () => {
    await begun();
    await rebuilt('b2', silence);
    expect(await staged.act(AT, 'skip')).toBe('ok');
    expect((await last()).message).toBe('inline: stage 3 of 3, without the votes of 2 instances');
  });

  it('a person who passes nobody over is not said to', async () => {
    await begun();
    expect(await staged.act(AT, 'advance')).toBe('ok');
    expect((await last()).message).toBe('inline: stage 2 of 3');
  });
});

it('asks everybody still to come once the shard has another owner', async () => {
  await begun();
  await world.restart();
  await staged.fleet.pass(BAKE_MS + 10_000);
  expect(new Set(asked.flatMap(({ only }) => only)).size).toBe(5);
  expect(await stage()).toBe(1);
  expect((await last()).reason).toContain('preflight: 5 of 5 accept it');
  asked.length = 0;
  await staged.fleet.pass(BAKE_MS);
  expect(await stage()).toBe(2);
  expect(asked).toEqual([]);
});

it('asks nobody while it is frozen', async () => {
  await world.put('acme:release-policy', { frozen: 'audit' });
  await begun();
  await rebuilt('b2', yes);
  await world.promote('acme:release-policy');
  await staged.fleet.pass(BAKE_MS);
  expect(asked).toEqual([]);
  expect(await shown()).toMatchObject({ stage: 0, reason: 'frozen: audit' });
  expect(await shown()).not.toHaveProperty('asking');
  await world.over('acme:release-policy', { frozen: null });
  await world.promote('acme:release-policy');
  await staged.fleet.pass(4_000);
  expect(asked).toHaveLength(2);
  expect(await stage()).toBe(1);
});

it('asks nobody of a workload that is held, though others there are asked, and nobody where the strategy has no preflight', async () => {
  await staged.fleet.add(AT, 'till', 2);
  await begun();
  expect(await staged.act(AT, 'hold', { workloads: { till: 'too slow' } })).toBe('ok');
  for (const one of staged.fleet.all) if (one.ref.workload === 'till') await one.restart('t2');
  const [shop] = await rebuilt('b2', yes, 1);
  await staged.fleet.pass(BAKE_MS + 4_000);
  expect(await stage()).toBe(1);
  expect(asked.map(({ only }) => only)).toEqual([[shop!.incarnation]]);
  asked.length = 0;
  expect(await staged.act(AT, 'abort')).toBe('ok');
  await begun({ preflight: false });
  await rebuilt('b2', no);
  await staged.fleet.pass(BAKE_MS / 2 + 4_000);
  expect(await stage()).toBe(1);
  expect(asked).toEqual([]);
});

it('asks at an address below about what is read there, and only there', async () => {
  await staged.promoted('acme/shop/eu', { region: 'eu' });
  const below = await staged.fleet.add('acme/shop/eu', 'shop', 3);
  for (const one of below) one.build = 'b1';
  await staged.fleet.hello();
  await begun();
  const other = below.find((one) => !staged.fleet.candidates().includes(one))!;
  other.vote = no;
  await other.restart('b3');
  await staged.fleet.pass(BAKE_MS / 2 + 4_000);
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({
    ...{ address: 'acme/shop/eu', only: [other.incarnation] },
    inline: { region: 'eu', max: 2, currency: 'EUR' },
  });
  expect(await last()).toMatchObject({ action: 'abort', author: 'pawl' });
});
