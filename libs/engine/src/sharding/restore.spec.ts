import { address, LIMITS, shardOf } from '@pawl/contracts';
import type { AddressText, Outcome } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import type { Fence } from './fence.js';
import type { ShardMark } from './shard-mark.js';

const APP = address('acme/app');
const ACME = shardOf('acme', 4);
const ACCEPTANCE = { actor: 'ada', reason: 'the disk was lost' };

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  await release({ a: 1 });
});

async function release(document: object): Promise<void> {
  const written = await world.over('acme/app', document as never);
  if (!written.ok) expect(code(await world.put('acme/app', document as never))).toBe('ok');
  expect(code(await world.promote('acme/app'))).toBe('ok');
  await world.settle();
}

const fence = (): Fence => ({ shard: ACME, token: world.token });
const mark = (): ShardMark => {
  const known = world.engine.host.mark?.(fence());
  if (known === undefined) throw new Error('there is no mark');
  return known;
};
const behind = async () => {
  const status = await world.engine.restore.status();
  return status.ok ? status.value : undefined;
};

/** Roots of the other shards. */
const ROOTS = [0, 1, 2, 3]
  .filter((shard) => shard !== ACME)
  .map((shard) => {
    const names = Array.from({ length: 100 }, (_, index) => `root-${index}`);
    return names.find((name) => shardOf(name, 4) === shard) ?? '';
  });

/** What the quorum remembers once every served shard was noted. */
async function noted(before = new Map<number, ShardMark>()): Promise<Map<number, ShardMark>> {
  await world.settle();
  const marks = new Map(before);
  for (let shard = 0; shard < 4; shard += 1) {
    const known = world.engine.host.mark?.({ shard, token: world.token });
    if (known !== undefined) marks.set(shard, known);
  }
  return marks;
}

const readOnlyShards = (status: Awaited<ReturnType<typeof behind>>): readonly number[] =>
  status?.shards.map(({ shard }) => shard) ?? [];

/** Every kind of write. */
function writes(): Promise<Outcome<unknown>>[] {
  return [
    world.over('acme/app', { a: 9 }),
    world.over('acme/new', { a: 9 }),
    world.putSchema('acme/app', true, { kind: 'match-any' }),
    world.release('acme/app', { action: 'promote' }),
    world.release('acme/app', { action: 'disable' }),
  ];
}

async function expectReadOnly(): Promise<void> {
  const outcomes = await Promise.all(writes());
  expect(outcomes.map(code)).toEqual(outcomes.map(() => 'truth-behind'));
  const [write] = outcomes;
  expect(write?.ok === false && write.problem.detail).toContain('`pawl restore accept`');
  expect(code(await world.use.getConfig(APP))).toBe('ok');
  expect(code(await world.use.getRollout(APP))).toBe('ok');
  const hello = { format: 1, incarnation: 'i', labels: {}, runs: [] } as never;
  const from = { root: 'acme', workload: 'app', consumerId: 'c' };
  expect(await world.use.hello(from, hello)).toMatchObject({ fencingToken: String(world.token) });
  expect(world.engine.status()).toMatchObject({ servedShards: 4, readOnlyShards: 1 });
  const cluster = await world.use.cluster();
  const shards = cluster.ok ? cluster.value.shards : [];
  expect(shards.filter((shard) => shard.behind !== undefined).map(({ shard }) => shard)).toEqual([
    ACME,
  ]);
}

/** Accepts what there is. */
async function acceptSeen() {
  const { generation = 0, shards = [] } = (await behind()) ?? {};
  const seen = { generation, shards: shards.map(({ shard }) => shard) };
  return world.engine.restore.accept({ ...ACCEPTANCE, seen });
}

/** Accepts, and claims anew as the ownership does once it was told. */
async function accept(): Promise<number> {
  world.rechecked.length = 0;
  const outcome = await acceptSeen();
  await world.settle();
  expect(world.rechecked).toEqual([0, 1, 2, 3]);
  await world.claimAll();
  expect(outcome).toMatchObject({ ok: true, value: { accepted: true } });
  return outcome.ok ? outcome.value.generation : 0;
}

describe('a PostgreSQL that lost what JetStream shows', () => {
  it('tells again what a key did that it has, and does nothing under a new one', async () => {
    const once = { actor: 'ada', idempotency: { key: 'once', requestHash: 'h' } };
    const put = (context: typeof once) =>
      world.put('acme/app', { a: 2 }, { kind: 'match-any' }, context);
    expect(await put(once)).toMatchObject({ ok: true, value: { replayed: false } });
    const older = world.truth.backup();
    expect(code(await world.promote('acme/app'))).toBe('ok');
    await world.settle();
    older();
    await world.restart();
    expect(await put(once)).toMatchObject({ ok: true, value: { replayed: true } });
    expect(code(await put({ ...once, idempotency: { key: 'twice', requestHash: 'h' } }))).toBe(
      'truth-behind',
    );
  });

  it('makes the shard read-only when it is claimed; what consumers were given stays', async () => {
    const older = world.truth.backup();
    await release({ a: 2 });
    const given = await world.published('acme/app');
    older();
    await world.restart();
    await expectReadOnly();
    expect(await behind()).toMatchObject({
      generation: 1,
      shards: [
        {
          shard: ACME,
          behind: {
            addresses: [
              {
                address: 'acme/app',
                held: { generation: 1, version: given.version },
                has: { generation: 1, version: given.version - 1 },
              },
            ],
          },
        },
      ],
    });
    expect(await world.published('acme/app')).toEqual(given);
    await world.pass(20_000);
    expect(await world.published('acme/app')).toEqual(given);
    expect(world.incidents).toEqual(['truth-behind']);
    expect(world.logged.filter((line) => line.includes('lacks what was seen'))).toHaveLength(1);
  });

  it('stays read-only under the next owners, also when JetStream is gone by then', async () => {
    const older = world.truth.backup();
    await release({ a: 2 });
    older();
    await world.restart();
    world.publisher.snapshots.clear();
    await world.restart();
    await expectReadOnly();
    await world.settle();
    expect(world.publisher.snapshots.has('acme/app' as AddressText)).toBe(false);
  });

  it('is found when NATS comes back', async () => {
    const older = world.truth.backup();
    await release({ a: 2 });
    older();
    world.publisher.up = false;
    const restarting = world.restart();
    await restarting;
    world.publisher.restore(false);
    await world.settle();
    await expectReadOnly();
  });

  it('is found by equal versions with other hashes, and by inputs that it does not have', async () => {
    const given = await world.published('acme/app');
    const forge = (some: object) => world.publisher.snapshots.set(APP.text, { ...given, ...some });
    forge({ hash: 'f'.repeat(64) });
    await world.restart();
    await expectReadOnly();
    world = await claimedWorld();
    await release({ a: 1 });
    await world.over('acme/app', { a: 2 });
    await world.promote('acme/app');
    await world.settle();
    const inputs = given.inputs.map((input) => ({ ...input, definitionVersion: 7 }));
    forge({ inputs });
    await world.restart();
    await expectReadOnly();
  });

  it('is found by a publication, before a write over it is taken', async () => {
    const older = world.truth.backup();
    await release({ a: 2 });
    await release({ a: 3 });
    older();
    await world.engine.stop();
    world.publisher.up = false;
    await world.restart();
    world.publisher.up = true;
    await world.over('acme/app', { a: 4 });
    await world.promote('acme/app');
    await world.pass(10_000);
    await expectReadOnly();
  });
});

describe('a PostgreSQL that lost what is remembered of it', () => {
  /** What the quorum knows of the shard, and nothing of the others. */
  const of = (mark_: ShardMark) => (shard: number) => (shard === ACME ? mark_ : null);

  it('makes the shard read-only when it is claimed, and only that one', async () => {
    const older = world.truth.backup();
    await world.over('acme/app', { a: 2 });
    const known = mark();
    older();
    await world.restart(of(known));
    await expectReadOnly();
    expect(await behind()).toMatchObject({
      shards: [
        {
          shard: ACME,
          behind: {
            remembered: {
              commits: Number(known.commits),
              has: { commits: Number(known.commits) - 1 },
            },
          },
        },
      ],
    });
  });

  it('does so for a token that committed and is not known any more, also after the next claim', async () => {
    const older = world.truth.backup();
    await world.over('acme/app', { a: 2 });
    const newer = world.truth.backup();
    older();
    await world.restart();
    await world.over('acme/app', { a: 3 });
    const known = mark();
    newer();
    await world.restart(of(known));
    await expectReadOnly();
    expect(await behind()).toMatchObject({
      shards: [{ behind: { remembered: { fencingToken: String(known.token) } } }],
    });
    await world.restart();
    await expectReadOnly();
  });

  it('is well again everywhere when a newer copy is restored after an older one', async () => {
    for (const root of ROOTS) await world.put(`${root}/app`, { a: 1 });
    let quorum = await noted();
    const older = world.truth.backup();
    await world.over('acme/app', { a: 2 });
    quorum = await noted(quorum);
    const newer = world.truth.backup();
    older();
    await world.restart((shard) => quorum.get(shard) ?? null);
    expect(readOnlyShards(await behind())).toEqual([ACME]);
    quorum = await noted(quorum);
    newer();
    await world.restart((shard) => quorum.get(shard) ?? null);
    expect(readOnlyShards(await behind())).toEqual([]);
    for (const root of ['acme', ...ROOTS]) {
      expect(code(await world.over(`${root}/app`, { a: 4 }))).toBe('ok');
    }
  });

  it('does nothing when as much or more is there', async () => {
    const known = mark();
    await world.over('acme/app', { a: 2 });
    await world.restart(of(known));
    expect(code(await world.over('acme/app', { a: 3 }))).toBe('ok');
    expect(mark()).toEqual({ generation: 1, token: world.token, commits: known.commits + 2n });
  });

  it('tells the token under which commits were counted, not the one that serves', async () => {
    const known = mark();
    await world.restart(of(known));
    expect(mark()).toEqual(known);
    expect(known.token).not.toBe(world.token);
    await world.over('acme/app', { a: 2 });
    expect(mark().token).toBe(world.token);
  });

  it('tells what was still committed while the shard was given away', async () => {
    const { commits } = mark();
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    world.truth.beforeCommit = () => held;
    const writing = world.over('acme/app', { a: 2 });
    await world.settle();
    const losing = world.lose('acme');
    await world.settle();
    goOn();
    await losing;
    expect(code(await writing)).toBe('ok');
    expect(world.engine.host.mark?.(fence())?.commits).toBe(commits + 1n);
  });

  it.each([
    ['a read', () => world.use.getConfig(APP)],
    ['a write', () => world.over('acme/app', { a: 3 })],
    ['a write elsewhere', () => world.put('acme/other', { a: 3 })],
  ])('is found by %s of the owner that goes on, which is not answered', async (_, act) => {
    const older = world.truth.backup();
    await world.over('acme/app', { a: 2 });
    older();
    expect(code(await act())).toBe('no-owner');
    expect(world.rechecked).toContain(ACME);
    await world.claimAll();
    await expectReadOnly();
  });

  it('is found by the next check when nobody asks', async () => {
    const older = world.truth.backup();
    await world.over('acme/app', { a: 2 });
    older();
    await world.pass(2_000);
    expect(world.rechecked).toEqual([ACME]);
  });

  it('tells the quorum nothing while it is read-only', async () => {
    const older = world.truth.backup();
    await world.over('acme/app', { a: 2 });
    const known = mark();
    older();
    await world.restart(of(known));
    expect(world.engine.host.mark?.(fence())).toBeUndefined();
    await world.lose('acme');
    expect(world.engine.host.mark?.(fence())).toBeUndefined();
  });
});

describe('accepting a restore', () => {
  it('publishes what PostgreSQL holds under the next generation, and takes writes again', async () => {
    const older = world.truth.backup();
    await release({ a: 2 });
    await release({ a: 'x'.repeat(LIMITS.inlineBytes + 1) });
    older();
    await world.restart();
    expect(await accept()).toBe(2);
    const published = await world.published('acme/app');
    expect([published.generation, await world.read('acme/app')]).toEqual([2, { a: 1 }]);
    expect(await behind()).toEqual({ generation: 2, shards: [] });
    await release({ a: 5 });
    expect(await world.read('acme/app')).toEqual({ a: 5 });
    expect((await world.published('acme/app')).generation).toBe(2);
    const history = await world.use.listHistory(APP, { limit: 10 });
    expect(history.ok).toBe(true);
    const audit = await world.use.listAudit({ limit: 10 });
    expect(audit.ok && audit.value.items.filter(({ kind }) => kind === 'restore')).toMatchObject([
      { address: 'acme', author: 'ada', action: 'accept', reason: 'the disk was lost' },
    ]);
  });

  it('changes nothing when nothing is behind, and so not twice', async () => {
    const nothing = await acceptSeen();
    expect(nothing).toEqual({ ok: true, value: { accepted: false, generation: 1 } });
    const older = world.truth.backup();
    await release({ a: 2 });
    older();
    await world.restart();
    expect(await accept()).toBe(2);
    world.rechecked.length = 0;
    const again = await acceptSeen();
    expect(again).toEqual({ ok: true, value: { accepted: false, generation: 2 } });
    await world.pass(5_000);
    expect(world.rechecked).toEqual([]);
  });

  it.each(['before anything is loaded', 'before anything is published'])(
    'survives a crash of every owner %s',
    async (when) => {
      const older = world.truth.backup();
      await release({ a: 2 });
      older();
      await world.restart();
      await acceptSeen();
      world.publisher.up = when !== 'before anything is published';
      await world.restart();
      world.publisher.up = true;
      await world.restart();
      const { generation } = await world.published('acme/app');
      expect([generation, await world.read('acme/app')]).toEqual([2, { a: 1 }]);
      expect(code(await world.over('acme/app', { a: 3 }))).toBe('ok');
    },
  );

  it('is refused until an owner says that it was put back to before an earlier one', async () => {
    const older = world.truth.backup();
    await release({ a: 2 });
    older();
    await world.claimAll();
    const withTrouble = world.truth.backup();
    expect(await accept()).toBe(2);
    withTrouble();
    const seen = { generation: 1, shards: readOnlyShards(await behind()) };
    expect(seen.shards).toEqual([ACME]);
    const early = await world.engine.restore.accept({ ...ACCEPTANCE, seen });
    expect(code(early)).toBe('restore-changed');
    await world.claimAll();
    expect(await accept()).toBe(3);
  });

  it.each([
    ['the quorum remembers it', () => Promise.resolve(2), 'restore-changed'],
    ['nobody answers', () => Promise.reject(new Error('no majority')), 'ok'],
  ])('is judged by what others served too: %s', async (_, rememberedGeneration, expected) => {
    const older = world.truth.backup();
    await release({ a: 2 });
    older();
    await world.claimAll();
    world.rememberedGeneration = rememberedGeneration;
    expect(code(await acceptSeen())).toBe(expected);
  });

  it('by another node lets no owner of before commit', async () => {
    const older = world.truth.backup();
    await world.over('acme/app', { a: 2 });
    const known = mark();
    older();
    const other = (ACME + 1) % 4;
    await world.restart((shard) => (shard === other ? { ...known, commits: 99n } : null));
    expect(code(await world.over('acme/app', { a: 3 }))).toBe('ok');
    const seen = { generation: 1, shards: [other] };
    const at = '2026-01-01T00:00:00.000Z';
    await world.truth.acceptRestore({ author: 'b', reason: 'r', at, seen });
    expect(code(await world.over('acme/app', { a: 4 }))).toBe('no-owner');
    await world.claimAll();
    expect(await world.use.getConfig(APP)).toMatchObject({ value: { document: { a: 3 } } });
    expect(code(await world.over('acme/app', { a: 4 }))).toBe('ok');
  });
});
