import { address, STABLE_COHORT } from '@pawl/contracts';
import type { JsonValue } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { OutcomeUnknownError } from '../sharding/truth-store.port.js';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeFleet } from '../testing/fake-fleet.js';
import { HOUR_MS, STAGES, stagedWorld } from '../testing/staged-world.fixture.js';
import type { StagedWorld } from '../testing/staged-world.fixture.js';

let staged: StagedWorld;
let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  staged = await stagedWorld();
  ({ world, fleet } = staged);
});

async function documents(): Promise<unknown[]> {
  const views = await Promise.all(fleet.all.map((one) => staged.readBy(one)));
  return views.map(({ document }) => document);
}

describe('a release in stages', () => {
  beforeEach(async () => {
    await staged.promoted('acme/app', { a: 1 });
  });

  it('lets candidates read another document than the rest', async () => {
    await fleet.add('acme/app', 'checkout', 4);
    const id = await staged.begun('acme/app', { a: 2 });
    const snapshot = await staged.whole('acme/app');
    expect(snapshot.inputs).toEqual([
      {
        ...{ address: 'acme/app', definitionVersion: 1, releaseVersion: 2, loweredAt: null },
        candidate: 2,
      },
    ]);
    expect(await world.read('acme/app')).toEqual({ a: 1 });
    expect(await world.read('acme/app', id)).toEqual({ a: 2 });
    const read = await documents();
    expect(read.filter((each) => JSON.stringify(each) === '{"a":2}')).toHaveLength(1);
    expect(read.filter((each) => JSON.stringify(each) === '{"a":1}')).toHaveLength(3);
    const [canary] = fleet.candidates();
    expect(await staged.readBy(canary!)).toMatchObject({ document: { a: 2 }, cohort: id });
  });

  it('is shown from its beginning on, also while nothing can be published', async () => {
    await fleet.add('acme/app', 'checkout', 2);
    world.publisher.up = false;
    const id = await staged.begun('acme/app', { a: 2 });
    expect((await world.rollout('acme/app')).releases).toMatchObject([
      { id, stage: 0, candidates: { live: 0 }, reason: 'it is being published' },
    ]);
    world.publisher.up = true;
    await staged.whole('acme/app');
    expect((await world.rollout('acme/app')).releases).toMatchObject([{ id, stage: 0 }]);
  });

  it('explains to a candidate who set what it reads', async () => {
    await fleet.add('acme/app', 'checkout', 2);
    await staged.begun('acme/app', { a: 2 });
    const { consumerId } = fleet.candidates()[0]!.ref;
    const asked = { explain: true, consumerId };
    const view = await world.use.getEffective(address('acme/app'), asked);
    expect(view).toMatchObject({ value: { explain: { '/a': { version: 2 } } } });
    const stable = await world.use.getEffective(address('acme/app'), { explain: true });
    expect(stable).toMatchObject({ value: { explain: { '/a': { version: 1 } } } });
  });

  it('goes by hand from stage to stage to the end, and moves nobody out', async () => {
    await fleet.add('acme/app', 'checkout', 6);
    const id = await staged.begun('acme/app', { a: 2 });
    const first = fleet.candidates();
    expect(first).toHaveLength(1);
    expect(await staged.act('acme/app', 'advance')).toBe('ok');
    await staged.whole('acme/app');
    expect(fleet.candidates()).toHaveLength(3);
    expect(fleet.candidates()).toEqual(expect.arrayContaining(first));
    expect(await staged.act('acme/app', 'advance')).toBe('ok');
    expect((await staged.whole('acme/app')).releases[0]?.stages).toEqual([{ basisPoints: 10_000 }]);
    expect(fleet.candidates()).toHaveLength(6);
    expect(await world.read('acme/app')).toEqual({ a: 1 });
    expect(await world.history('acme/app')).toMatchObject([
      { action: 'advance', version: 2, message: 'inline: stage 3 of 3' },
    ]);
    expect(await staged.act('acme/app', 'advance')).toBe('ok');
    expect(await world.releaseOf('acme/app')).toEqual({
      ...{ address: 'acme/app', state: 'idle', releaseVersion: 5, stableVersion: 2 },
    });
    expect(await world.history('acme/app')).toMatchObject([
      { action: 'advance', version: 2, message: 'inline: complete' },
    ]);
    const done = await staged.whole('acme/app');
    expect([done.releases, done.inputs[0]?.candidate, done.inputs[0]?.loweredAt]).toEqual([
      [],
      undefined,
      null,
    ]);
    expect(await world.read('acme/app')).toEqual({ a: 2 });
    expect(await world.read('acme/app', id)).toBeNull();
  });

  it('takes who comes while it is under way, once the next stage is reached', async () => {
    await fleet.add('acme/app', 'checkout', 2);
    await staged.begun('acme/app', { a: 2 });
    await fleet.add('acme/app', 'cart', 4);
    expect(fleet.candidates().map(({ ref }) => ref.workload)).toEqual(['checkout']);
    await staged.act('acme/app', 'advance');
    await world.settle();
    const workloads = fleet.candidates().map(({ ref }) => ref.workload);
    expect(workloads.sort()).toEqual(['cart', 'cart', 'checkout']);
  });

  it.each([
    ['abort', {}, 1],
    ['rollback', { targetVersion: 1 }, 1],
    ['disable', {}, null],
    ['block', { targetVersion: 2 }, 1],
  ] as const)('ends by %s, and candidates go back', async (action, more, version) => {
    await fleet.add('acme/app', 'checkout', 3);
    await staged.begun('acme/app', { a: 2 });
    fleet.follow();
    expect(await staged.act('acme/app', action, more)).toBe('ok');
    const snapshot = await staged.whole('acme/app');
    expect(snapshot.inputs).toEqual([
      { address: 'acme/app', definitionVersion: version, releaseVersion: 3, loweredAt: 3 },
    ]);
    const left = version === null ? null : { a: 1 };
    expect(await documents()).toEqual([left, left, left]);
    const history = await world.history('acme/app');
    expect(history).toMatchObject([{ action, releaseVersion: 3 }]);
    expect(await staged.act('acme/app', 'advance')).toBe('invalid-transition');
  });

  it('goes to an earlier version, or to the newest at once, with one action', async () => {
    await staged.promoted('acme/app', { a: 2 });
    await staged.begun('acme/app', { a: 3 });
    expect(await staged.act('acme/app', 'rollback', { targetVersion: 1 })).toBe('ok');
    expect(await world.read('acme/app')).toEqual({ a: 1 });
    expect((await staged.whole('acme/app')).releases).toEqual([]);
    const strategy = STAGES;
    expect(await staged.act('acme/app', 'promote', { strategy })).toBe('ok');
    expect(await staged.act('acme/app', 'promote', { strategy: 'all-at-once' })).toBe('ok');
    expect(await world.read('acme/app')).toEqual({ a: 3 });
    expect((await staged.whole('acme/app')).inputs[0]).toMatchObject({ loweredAt: 4 });
  });

  it('says that it was lowered when all get at once less than candidates had', async () => {
    await world.over('acme/app', { a: 2 });
    await staged.begun('acme/app', { a: 3 });
    const more = { targetVersion: 2, strategy: 'all-at-once' };
    expect(await staged.act('acme/app', 'promote', more)).toBe('ok');
    expect((await staged.whole('acme/app')).inputs[0]).toMatchObject({
      ...{ definitionVersion: 2, releaseVersion: 3, loweredAt: 3 },
    });
  });

  it('begins where nothing was released before: the rest reads as if it were not there', async () => {
    await world.put('acme/new', { b: 1 });
    const begin = await world.begin('acme/new', STAGES);
    expect(begin).toMatchObject({ value: { body: { stableVersion: null, candidate: 1 } } });
    const { releases } = await staged.whole('acme/new');
    expect(await world.read('acme/new')).toBeNull();
    expect(await world.read('acme/new', releases[0]?.id)).toEqual({ b: 1 });
    expect(await staged.act('acme/new', 'disable')).toBe('invalid-transition');
    expect(await staged.act('acme/new', 'abort')).toBe('ok');
    expect(await world.read('acme/new')).toBeNull();
    expect((await staged.whole('acme/new')).inputs).toEqual([
      { address: 'acme/new', definitionVersion: null, releaseVersion: 2, loweredAt: 2 },
    ]);
  });

  it('is refused beside another of the same address, and unchanged when asked for twice', async () => {
    await staged.begun('acme/app', { a: 2 });
    const before = await world.published('acme/app');
    expect(await staged.act('acme/app', 'promote', { strategy: STAGES })).toBe('ok');
    expect((await world.releaseOf('acme/app')).releaseVersion).toBe(2);
    expect(await staged.act('acme/app', 'promote', { strategy: 'canary' })).toBe(
      'release-in-flight',
    );
    await world.over('acme/app', { a: 3 });
    expect(await staged.act('acme/app', 'promote', { strategy: STAGES })).toBe('release-in-flight');
    expect(await staged.act('acme/app', 'advance', { expectedReleaseVersion: 1 })).toBe(
      'version-mismatch',
    );
    expect(await world.published('acme/app')).toBe(before);
  });

  it('is superseded by another, whose candidates are its own from the first stage on', async () => {
    await fleet.add('acme/app', 'checkout', 6);
    const before = await staged.begun('acme/app', { a: 2 });
    await staged.act('acme/app', 'advance');
    await world.over('acme/app', { a: 3 });
    const more = { strategy: STAGES, conflict: 'supersede' };
    expect(await staged.act('acme/app', 'promote', more)).toBe('ok');
    const { releases, inputs } = await staged.whole('acme/app');
    expect(releases).toMatchObject([{ stages: [{ named: [expect.anything()] }] }]);
    expect(releases[0]?.id).not.toBe(before);
    expect(inputs[0]).toMatchObject({ definitionVersion: 1, candidate: 3, loweredAt: 4 });
    expect(await world.read('acme/app', releases[0]?.id)).toEqual({ a: 3 });
    const read = (await documents()).map((document) => JSON.stringify(document));
    expect(read.filter((text) => text === '{"a":3}')).toHaveLength(1);
    expect(read.filter((text) => text === '{"a":1}')).toHaveLength(5);
  });

  it('is paused and resumed without a snapshot of it', async () => {
    await staged.begun('acme/app', { a: 2 });
    const before = await world.published('acme/app');
    expect(await staged.act('acme/app', 'pause', { reason: 'lunch' })).toBe('ok');
    expect(await world.releaseOf('acme/app')).toMatchObject({
      state: 'paused',
      staged: { stage: 0, reason: 'lunch' },
    });
    for (const action of ['advance', 'skip']) {
      expect(await staged.act('acme/app', action)).toBe('invalid-transition');
    }
    expect(await staged.act('acme/app', 'resume')).toBe('ok');
    expect(await world.published('acme/app')).toBe(before);
    expect(await staged.act('acme/app', 'skip')).toBe('ok');
    const { releases } = await staged.whole('acme/app');
    expect(releases[0]?.stages).toEqual([{ basisPoints: 10_000 }]);
  });

  it('has another id each time, and so other candidates', async () => {
    const ids = new Set<string>();
    for (let a = 2; a < 5; a += 1) {
      ids.add(await staged.begun('acme/app', { a }));
      await staged.act('acme/app', 'abort');
    }
    expect(ids.size).toBe(3);
  });

  it('gives the first answer again for the same idempotency key', async () => {
    await world.over('acme/app', { a: 2 });
    const idempotency = { key: 'POST /v1/release k', requestHash: 'h' };
    const begin = () =>
      world.use.release(
        address('acme/app'),
        { action: 'promote', strategy: STAGES },
        { actor: 'ann', idempotency },
      );
    const first = await begin();
    await staged.act('acme/app', 'advance');
    const second = await begin();
    expect(second).toMatchObject({ value: { replayed: true } });
    expect(second.ok && first.ok && second.value.body).toEqual(first.ok && first.value.body);
    expect((await world.releaseOf('acme/app')).staged?.stage).toBe(1);
  });
});

describe('a new owner', () => {
  it('reads the same heads from the truth, names as they were, and goes on', async () => {
    await staged.promoted('acme', { a: 1 });
    await staged.promoted('acme/app', { b: 1 });
    await fleet.add('acme/app', 'checkout', 4);
    await fleet.add('acme/app/eu', 'cart', 2);
    const ids = [await staged.begun('acme', { a: 2 }), await staged.begun('acme/app', { b: 2 })];
    await staged.act('acme', 'advance');
    await fleet.add('acme/app', 'checkout', 3);
    const heads = async () => {
      const all = ['acme', 'acme/app', 'acme/app/eu'].map((at) => world.published(at));
      return (await Promise.all(all)).map(({ version, hash }) => [version, hash]);
    };
    await world.pass(1_100);
    const before = await heads();
    await world.restart();
    expect(await heads()).toEqual(before);
    expect(world.incidents).toEqual([]);
    const effective = await world.use.getEffective(address('acme/app'), { explain: false });
    expect(effective).toMatchObject({ value: { snapshotVersion: before[1]?.[0] } });
    expect(await staged.act('acme/app', 'advance')).toBe('ok');
    expect((await staged.whole('acme/app')).version).toBe(Number(before[1]?.[0]) + 1);
    expect(await world.read('acme/app/eu', ids.sort().join('+'))).toEqual({ a: 2, b: 2 });
  });

  it('as well as one who did not learn what became of a commit', async () => {
    await staged.promoted('acme', { a: 1 });
    await fleet.add('acme', 'checkout', 2);
    await staged.begun('acme', { a: 2 });
    world.truth.afterCommit = () => {
      world.truth.afterCommit = () => undefined;
      throw new OutcomeUnknownError('cut');
    };
    expect(await staged.act('acme', 'advance')).toBe('outcome-unknown');
    await world.pass(1_000);
    expect(await world.releaseOf('acme')).toMatchObject({ staged: { stage: 1 } });
    const { version } = await staged.whole('acme');
    expect(await staged.act('acme', 'advance')).toBe('ok');
    expect((await staged.whole('acme')).version).toBe(version + 1);
    expect(world.incidents).toEqual([]);
  });

  it('publishes it under the next generation after a restore was accepted', async () => {
    await staged.promoted('acme', { a: 1 });
    await fleet.add('acme', 'checkout', 2);
    const id = await staged.begun('acme', { a: 2 });
    const named = (await staged.whole('acme')).releases;
    const putBack = world.truth.backup();
    await staged.act('acme', 'advance');
    await staged.promoted('acme/app', { b: 1 });
    await world.settle();
    putBack();
    await world.restart();
    const status = await world.engine.restore.status();
    if (!status.ok) throw new Error(status.problem.code);
    const { generation, shards } = status.value;
    const seen = { generation, shards: shards.map(({ shard }) => shard) };
    const accepted = await world.engine.restore.accept({ actor: 'ann', reason: 'lost', seen });
    expect(accepted).toMatchObject({ value: { accepted: true, generation: 2 } });
    await world.restart();
    const snapshot = await staged.whole('acme');
    expect(snapshot).toMatchObject({ generation: 2, releases: named });
    expect(await world.read('acme', id)).toEqual({ a: 2 });
    expect(await world.releaseOf('acme')).toMatchObject({ staged: { id, stage: 0 } });
    expect(await staged.act('acme', 'abort')).toBe('ok');
    expect(await staged.begun('acme', { a: 2 })).not.toBe(id);
  });
});

it('stores large documents of candidates by hash, and keeps them while they are named', async () => {
  const big = (a: number): JsonValue => ({ a, big: 'x'.repeat(20_000) });
  await staged.promoted('acme/app', big(1));
  const id = await staged.begun('acme/app', big(2));
  expect(await world.read('acme/app', id)).toEqual(big(2));
  world.time.advance(25 * HOUR_MS);
  await world.sweepAll('contents');
  expect(await world.read('acme/app', id)).toEqual(big(2));
  expect(await world.read('acme/app', STABLE_COHORT)).toEqual(big(1));
  await staged.act('acme/app', 'abort');
  await world.settle();
  world.time.advance(25 * HOUR_MS);
  await world.sweepAll('contents');
  expect(world.publisher.contents.size).toBe(1);
});
