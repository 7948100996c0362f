import { address } from '@pawl/contracts';
import type { Prepare, RolloutRelease, Strategy } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeConsumer } from '../testing/fake-fleet.js';
import { HOUR_MS, preparesOf, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

const stages = [
  { count: 1, bakeMs: HOUR_MS },
  { percent: 100, bakeMs: HOUR_MS },
];
const ASKED: Strategy = { stages, gates: [], preflight: true };
const SILENCES_MS = 4 * 3_000 + 2_000 + 5_000 + 10_000 + 15_000;

let staged: StagedWorld;
let world: EngineWorld;
let asked: Prepare[];
let fleet: FakeConsumer[];

beforeEach(async () => {
  staged = await stagedWorld();
  ({ world } = staged);
  asked = preparesOf(world);
  await staged.promoted('acme', { currency: 'EUR' });
  await staged.promoted('acme/shop', { max: 1 });
  fleet = await staged.fleet.add('acme/shop', 'shop', 4);
  asked.length = 0;
});

function begin(strategy = ASKED, at = 'acme/shop', document: object = { max: 2 }): Promise<string> {
  return staged.begun(at, document as never, strategy);
}

async function shown(at = 'acme/shop'): Promise<RolloutRelease | undefined> {
  return (await world.rollout(at)).releases?.[0];
}

async function last(): Promise<object | undefined> {
  const [item] = await world.history('acme/shop');
  const { action, author, reason, message } = item ?? {};
  return { action, author, reason, message };
}

describe('a release in stages', () => {
  it('begins with a preflight, with nobody a candidate', async () => {
    for (const one of fleet) one.vote = () => null;
    const id = await begin();
    await staged.fleet.pass(1_000);
    const { state, staged: view } = await world.releaseOf('acme/shop');
    expect(state).toBe('rolling');
    expect(view).toMatchObject({ id, stage: 0, preflight: { state: 'asking' } });
    const { releases } = await staged.whole('acme/shop');
    expect(releases).toMatchObject([{ id, stages: [] }]);
    expect(staged.fleet.candidates()).toEqual([]);
    expect(asked).toMatchObject([{ inline: { currency: 'EUR', max: 2 }, only: ['shop-0-1'] }]);
    expect(await shown()).toMatchObject({
      preflight: { state: 'asking', asked: 4, accepted: 0, silent: 4 },
      candidates: { live: 0 },
    });
    const listed = await world.use.listReleases({ limit: 10 });
    expect(listed).toMatchObject({ value: { items: [{ id, stage: 0, preflight: {} }] } });
  });

  it('reaches its first stage once all accept it, with the numbers as the reason', async () => {
    await begin();
    await staged.fleet.pass(1_000);
    expect(await last()).toEqual({
      ...{ action: 'advance', author: 'pawl', reason: 'preflight: 4 of 4 accept it' },
      message: 'inline: stage 1 of 2',
    });
    expect((await world.releaseOf('acme/shop')).staged).not.toHaveProperty('preflight');
    await staged.fleet.pass(1_000);
    expect(staged.fleet.candidates()).toHaveLength(1);
  });

  it('has none where its strategy says so', async () => {
    await begin({ stages, gates: [], preflight: false });
    await staged.fleet.pass(1_000);
    expect(asked).toEqual([]);
    expect(staged.fleet.candidates()).toHaveLength(1);
  });

  it('goes on where nobody is there, once the owner has had the time to hear of somebody', async () => {
    await staged.promoted('acme/till', { max: 1 });
    await begin(ASKED, 'acme/till');
    await staged.fleet.pass(16_000);
    const [{ action, reason } = {}] = await world.history('acme/till');
    expect({ action, reason }).toEqual({
      ...{ action: 'advance' },
      reason: 'preflight: nobody is there for whom it changes anything',
    });
  });
});

describe('a rejection in a preflight', () => {
  beforeEach(() => {
    fleet[2]!.vote = () => ({ verdict: 'reject', pointer: '/max', reason: 'too many' });
  });
  const why = 'preflight: 1 of 4 reject it: shop/shop-2 at acme/shop, /max: too many';

  it('aborts the release, and nobody has run it', async () => {
    await begin();
    await staged.fleet.pass(1_000);
    expect(await last()).toMatchObject({ action: 'abort', author: 'pawl', reason: why });
    expect(await world.read('acme/shop')).toEqual({ currency: 'EUR', max: 1 });
    await staged.fleet.pass(5_000);
    expect(staged.fleet.all.map(({ held }) => held?.cohort)).toEqual(['', '', '', '']);
  });

  it('pauses it where it is to; what is resumed is asked anew', async () => {
    await begin({ stages, gates: [], preflight: { onRejection: 'pause' } });
    await staged.fleet.pass(1_000);
    expect(await last()).toMatchObject({ action: 'pause', author: 'pawl', reason: why });
    expect(await shown()).toMatchObject({ state: 'paused', preflight: {}, reason: why });
    const before = asked.length;
    await staged.fleet.pass(60_000);
    expect(asked).toHaveLength(before);
    fleet[2]!.vote = () => ({ verdict: 'accept' });
    await staged.act('acme/shop', 'resume');
    await staged.fleet.pass(1_000);
    expect(await last()).toMatchObject({
      action: 'advance',
      reason: 'preflight: 4 of 4 accept it',
    });
  });
});

describe('silence in a preflight', () => {
  beforeEach(() => {
    fleet[3]!.vote = () => null;
  });
  const why =
    'preflight: 3 of 4 accept it; ' +
    '1 silent (blocked, gone, or of an SDK older than preflights): shop/shop-3';

  it('has only those asked again, with pauses, and then pauses the release', async () => {
    await begin();
    await staged.fleet.pass(4_000);
    expect(await shown()).toMatchObject({
      ...{ reason: why, state: 'rolling' },
      preflight: { state: 'waiting', asked: 4, accepted: 3, silent: 1 },
    });
    const first = asked.length;
    await staged.fleet.pass(SILENCES_MS + 5_000);
    const again = new Set(asked.slice(first).flatMap(({ only }) => only));
    expect([...again]).toEqual(['shop-3-1']);
    expect(new Set(asked.map(({ id }) => id)).size).toBe(5);
    expect(await last()).toMatchObject({ action: 'pause', author: 'pawl', reason: why });
  });

  it('lets the release go on where it is to', async () => {
    await begin({ stages, gates: [], preflight: { onSilence: 'proceed' } });
    await staged.fleet.pass(SILENCES_MS + 10_000);
    expect(await last()).toMatchObject({ action: 'advance', author: 'pawl', reason: why });
  });

  it('of a process that begins anew ends with the vote of the new one', async () => {
    await begin();
    await staged.fleet.pass(4_000);
    Object.assign(fleet[3]!, { incarnation: 'shop-3-2', vote: () => ({ verdict: 'accept' }) });
    await staged.fleet.hello();
    await staged.fleet.pass(25_000);
    expect(await last()).toMatchObject({
      action: 'advance',
      reason: 'preflight: 4 of 4 accept it',
    });
  });

  it('is none while NATS is away', async () => {
    await begin();
    await staged.fleet.pass(1_000);
    world.publisher.up = false;
    await staged.fleet.pass(60_000);
    const before = asked.length;
    expect(await shown()).toMatchObject({
      ...{ state: 'rolling', preflight: { state: 'waiting' } },
      reason: 'NATS is away: nobody can be asked',
    });
    world.publisher.up = true;
    await staged.fleet.pass(SILENCES_MS + 5_000);
    expect(new Set(asked.slice(before).map(({ id }) => id)).size).toBe(5);
    expect(await last()).toMatchObject({ action: 'pause', author: 'pawl', reason: why });
  });

  it('is told with who cannot say why', async () => {
    fleet[3]!.vote = () => ({ verdict: 'cannot-say', reason: 'validate did not end' });
    await begin();
    await staged.fleet.pass(SILENCES_MS + 10_000);
    expect(await last()).toMatchObject({
      action: 'pause',
      reason: 'preflight: 3 of 4 accept it; 1 cannot say: shop/shop-3: validate did not end',
    });
  });
});

describe('a preflight under way', () => {
  it('is void once another layer is released, and asks anew about what is read then', async () => {
    fleet[3]!.vote = () => null;
    await begin();
    await staged.fleet.pass(1_000);
    await staged.promoted('acme', { currency: 'SEK' });
    fleet[3]!.vote = () => ({ verdict: 'accept' });
    await staged.fleet.pass(6_000);
    expect(await last()).toMatchObject({
      action: 'advance',
      reason: 'preflight: 4 of 4 accept it',
    });
    expect(asked.at(-1)?.inline).toEqual({ currency: 'SEK', max: 2 });
  });

  it('does not go on by votes that another commit has made void', async () => {
    await world.over('acme', { currency: 'SEK' });
    await begin();
    const { vote } = fleet[3]!;
    // It commits between the last vote and the advance.
    fleet[3]!.vote = () => {
      fleet[3]!.vote = vote;
      void world.promote('acme');
      return { verdict: 'accept' };
    };
    await staged.fleet.pass(400);
    await world.pass(200);
    expect((await world.releaseOf('acme/shop')).staged).toHaveProperty('preflight');
    await staged.fleet.pass(3_000);
    expect(asked.at(-1)?.inline).toEqual({ currency: 'SEK', max: 2 });
    expect(await last()).toMatchObject({ action: 'advance' });
  });

  it('is skipped by a person who advances, which the history tells', async () => {
    fleet[3]!.vote = () => null;
    await begin();
    await staged.fleet.pass(1_000);
    expect(await staged.act('acme/shop', 'advance')).toBe('ok');
    expect(await last()).toMatchObject({
      ...{ action: 'advance', author: 'anonymous' },
      message: 'inline: stage 1 of 2, without its preflight',
    });
    await staged.fleet.pass(60_000);
    expect((await world.history('acme/shop'))[0]).toMatchObject({ action: 'advance' });
  });

  it('is over with an abort, while those asked are still waited for', async () => {
    fleet[3]!.vote = () => null;
    await begin();
    await staged.fleet.pass(1_000);
    expect(await staged.act('acme/shop', 'abort')).toBe('ok');
    await staged.fleet.pass(60_000);
    expect(await last()).toMatchObject({ action: 'abort', author: 'anonymous' });
  });

  it('leaves its place to others with an abort', async () => {
    const places = ['acme/p1', 'acme/p2', 'acme/p3', 'acme/p4'];
    const long = { ...ASKED, preflight: { timeoutMs: 60_000 } };
    for (const at of places) {
      await staged.promoted(at, { max: 1 });
      const [one] = await staged.fleet.add(at, 'shop', 1);
      one!.vote = () => null;
      await begin(long, at);
    }
    await staged.fleet.pass(1_000);
    for (const at of places) expect(await staged.act(at, 'abort')).toBe('ok');
    await begin();
    await staged.fleet.pass(5_000);
    expect(await last()).toMatchObject({ action: 'advance', author: 'pawl' });
  });

  it('that never has its turn ends in a pause, but for the time in which nobody is to be asked', async () => {
    const places = ['acme/p1', 'acme/p2', 'acme/p3', 'acme/p4'];
    for (const at of places) {
      await staged.promoted(at, { max: 1 });
      const [one] = await staged.fleet.add(at, 'shop', 1);
      one!.vote = () => null;
      await begin({ ...ASKED, preflight: { timeoutMs: 60_000 } }, at);
    }
    await staged.fleet.pass(1_000);
    await begin({ ...ASKED, progressMs: 10_000 });
    await staged.fleet.pass(5_000);
    world.publisher.up = false;
    await staged.fleet.pass(30_000);
    world.publisher.up = true;
    await staged.fleet.pass(2_000);
    expect((await shown())?.state).toBe('rolling');
    await staged.fleet.pass(8_000);
    const { reason } = (await shown()) ?? {};
    expect(await last()).toMatchObject({ action: 'pause', author: 'pawl' });
    expect(reason).toContain('no progress for 10 s: 4 preflights are under way');
  });

  it('that is void again and again ends in a pause', async () => {
    fleet[3]!.vote = () => null;
    await begin({ ...ASKED, progressMs: 10_000 });
    for (let n = 0; n < 9 && (await shown())?.state === 'rolling'; n += 1) {
      await staged.promoted('acme', { currency: `C${n}` });
      await staged.fleet.pass(2_000);
    }
    const { reason } = (await shown()) ?? {};
    expect(await last()).toMatchObject({ action: 'pause', author: 'pawl' });
    expect(reason).toContain('no progress for 10 s: something else');
  });

  it('begins anew with the next owner', async () => {
    fleet[3]!.vote = () => null;
    await begin();
    await staged.fleet.pass(4_000);
    await world.restart();
    fleet[3]!.vote = () => ({ verdict: 'accept' });
    await staged.fleet.hello();
    await staged.fleet.pass(3_000);
    expect(await last()).toMatchObject({
      action: 'advance',
      reason: 'preflight: 4 of 4 accept it',
    });
  });

  it('asks nobody while it is frozen', async () => {
    await world.put('acme:release-policy', { frozen: null });
    await world.promote('acme:release-policy');
    for (const one of fleet) one.vote = () => null;
    await begin();
    await world.over('acme:release-policy', { frozen: 'audit' });
    await world.promote('acme:release-policy');
    await staged.fleet.pass(10_000);
    for (const one of fleet) one.vote = () => ({ verdict: 'accept' });
    await staged.fleet.pass(10_000);
    expect(await shown()).toMatchObject({
      preflight: { state: 'waiting' },
      reason: 'frozen: audit',
    });
    await world.over('acme:release-policy', { frozen: null });
    await world.promote('acme:release-policy');
    await staged.fleet.pass(2_000);
    expect(await last()).toMatchObject({ action: 'advance', author: 'pawl' });
  });

  it('of the same address it can be asked about on demand as well', async () => {
    fleet[3]!.vote = () => null;
    await begin();
    await staged.fleet.pass(500);
    const running = world.use.preflight(address('acme/shop'), { timeoutMs: 500 }, 'p1');
    await staged.fleet.pass(1_000);
    expect(await running).toMatchObject({ value: { consumers: { asked: 4, silent: 1 } } });
  });
});
