import { address, shardOf } from '@pawl/contracts';
import type { Outcome } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { TruthUnavailableError } from './truth-store.port.js';

const TTL_MS = 5_000;
const APP = address('acme/app');
const ACME = shardOf('acme', 4);

let world: EngineWorld;
/** Shards of each query for fences since the shards were claimed. */
let asked: (readonly number[])[];
beforeEach(async () => {
  world = await claimedWorld();
  await world.put('acme/app', { a: 1 });
  await world.promote('acme/app');
  await world.settle();
  asked = [];
  world.truth.beforeFences = async (shards) => void asked.push(shards);
});

function down(): void {
  world.truth.beforeFences = async (shards) => {
    asked.push(shards);
    throw new TruthUnavailableError('down');
  };
}

/** Every read of definitions, releases and history, and what is answered without a commit. */
function reads(): Promise<Outcome<unknown>>[] {
  const { use } = world;
  return [
    use.getConfig(APP),
    use.getSchema(APP),
    use.getRelease(APP),
    use.getEffective(APP, { explain: false }),
    use.diff(APP, 1, 1),
    use.listHistory(APP, { limit: 1 }),
    use.preview(APP, { document: { a: 2 } }),
    use.getConfig(address('acme/unknown')),
    world.over('acme/app', { a: 1 }),
    world.release('acme/app', { action: 'promote' }),
  ];
}

/** How the {@link reads} end when everything is well. */
const WELL = ['ok', 'not-found', 'ok', 'ok', 'ok', 'ok', 'ok', 'not-found', 'ok', 'ok'];

async function codes(outcomes: readonly Promise<Outcome<unknown>>[]): Promise<string[]> {
  return (await Promise.all(outcomes)).map(code);
}

describe('the fences of owned shards', () => {
  it('are checked by one query three times per lease', async () => {
    await world.pass(TTL_MS + 100);
    expect(asked).toEqual([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ]);
  });

  it('drop the shard that somebody else has raised, without any write', async () => {
    await world.fenceOff('acme');
    expect(code(await world.use.getConfig(APP))).toBe('ok');
    await world.pass(TTL_MS / 2);
    expect(code(await world.use.getConfig(APP))).toBe('no-owner');
    expect(world.rechecked).toEqual([ACME]);
    expect(world.engine.status()).toMatchObject({ ownedShards: 3, servedShards: 3 });
  });

  it('are checked no more once the engine has stopped', async () => {
    await world.engine.stop();
    await world.pass(2 * TTL_MS);
    expect(asked).toEqual([]);
  });

  it('change nothing when the answer comes after the stop', async () => {
    let answer = (): void => undefined;
    world.truth.beforeFences = () => new Promise((resolve) => (answer = resolve));
    await world.pass(TTL_MS / 2);
    await world.fenceOff('acme');
    await world.engine.stop();
    answer();
    await world.settle();
    expect(world.rechecked).toEqual([]);
  });

  it.each(['2/00000001', '1/00000002'])(
    'drop all once the server is %s, say so once',
    async (to) => {
      const before = world.token;
      world.truth.server = to;
      await world.pass(TTL_MS / 2);
      expect(world.rechecked).toEqual([0, 1, 2, 3]);
      expect(world.logged.filter((line) => line.includes('another server'))).toHaveLength(1);
      expect(code(await world.use.getConfig(APP))).toBe('no-owner');
      await world.claimAll();
      await world.pass(TTL_MS);
      expect(code(await world.use.getConfig(APP))).toBe('ok');
      expect(world.rechecked).toHaveLength(4);
      const { tokens } = await world.truth.readFences([ACME]);
      expect([tokens.get(ACME), world.token > before]).toEqual([world.token, true]);
    },
  );

  it('say when they were checked', async () => {
    const before = world.time.wallMs();
    down();
    await world.pass(1_000);
    await world.over('acme/app', { a: 2 });
    await world.pass(1_000);
    const cluster = await world.use.cluster();
    const shards = cluster.ok ? cluster.value.shards : [];
    expect(shards.map(({ fenceCheckedAt }) => fenceCheckedAt)).toEqual(
      [0, 1, 2, 3].map((shard) => new Date(before + (shard === ACME ? 1_000 : 0)).toISOString()),
    );
    await world.fenceOff('acme');
    await world.over('acme/app', { a: 3 });
    const after = await world.use.cluster();
    expect(after.ok && after.value.shards[ACME]).toMatchObject({
      serving: false,
      fenceCheckedAt: null,
    });
  });
});

describe('reads of definitions and releases', () => {
  it('are served from memory while the check is young', async () => {
    world.time.advance(1_000);
    expect(await codes(reads())).toEqual(WELL);
    expect(asked).toEqual([]);
  });

  it('are refused once the check is older than the lease; status is not', async () => {
    down();
    await world.pass(TTL_MS);
    expect(await codes(reads())).toEqual(WELL);
    await world.pass(50);
    expect(new Set(await codes(reads()))).toEqual(new Set(['truth-unavailable']));
    const { use } = world;
    const status = [use.getRollout(APP), use.listConsumers(APP, { limit: 1 }), use.cluster()];
    expect(await codes(status)).toEqual(['ok', 'ok', 'ok']);
    world.truth.beforeFences = () => Promise.resolve();
    expect(await codes(reads())).toEqual(WELL);
  });

  it('share one check', async () => {
    down();
    await world.pass(2 * TTL_MS);
    asked = [];
    world.truth.beforeFences = async (shards) => void asked.push(shards);
    expect(await codes(reads())).toEqual(WELL);
    expect(asked).toEqual([[0, 1, 2, 3]]);
  });

  it('of a paused owner are not served when it goes on', async () => {
    await world.fenceOff('acme');
    world.time.advance(TTL_MS + 1);
    expect(code(await world.use.getEffective(APP, { explain: false }))).toBe('no-owner');
    expect(world.rechecked).toEqual([ACME]);
  });

  it('wait no longer than a third of the lease for the check', async () => {
    world.truth.beforeFences = () => new Promise(() => undefined);
    await world.pass(TTL_MS + 50);
    let answer: string | undefined;
    void world.use.getRelease(APP).then((outcome) => (answer = code(outcome)));
    await world.pass(1_600);
    expect(answer).toBeUndefined();
    await world.pass(100);
    expect(answer).toBe('truth-unavailable');
  });

  it('are served after a commit as after a check', async () => {
    down();
    await world.pass(4_000);
    await world.over('acme/app', { a: 2 });
    await world.pass(4_000);
    expect(code(await world.use.getConfig(APP))).toBe('ok');
    await world.pass(1_050);
    expect(code(await world.use.getConfig(APP))).toBe('truth-unavailable');
  });

  it('of a shard claimed while a check was under way are checked by another', async () => {
    let answer = (): void => undefined;
    const first = new Promise<void>((resolve) => (answer = resolve));
    await world.pass(1_600);
    world.truth.beforeFences = (shards) => (shards.length === 1 ? Promise.resolve() : first);
    await world.pass(100);
    await world.claimAll();
    world.time.advance(TTL_MS + 1);
    const read = world.use.getConfig(APP);
    answer();
    expect(code(await read)).toBe('ok');
    expect(world.rechecked).toEqual([]);
  });
});
