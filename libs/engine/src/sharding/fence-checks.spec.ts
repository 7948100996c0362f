import { address, shardOf } from '@pawl/contracts';
import type { Outcome, TruthBehind } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FencingToken } from './fence.js';
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

/** Another node finds that one of its shards is behind. */
async function declareBehind(shard: number): Promise<TruthBehind> {
  const fence = { shard, token: (world.token + 1n) as FencingToken };
  await world.truth.raiseFence(fence, 'another node');
  const version = { generation: 1, version: 9 };
  const has = { generation: 1, version: 4 };
  return world.truth.declareBehind(fence, 1, [{ address: 'other/app', held: version, has }]);
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

  it('are asked for what is owned only; what others lack is asked for by time, not by reads', async () => {
    const others = [0, 1, 2, 3].filter((shard) => shard !== ACME);
    for (const shard of others) await world.engine.host.lost({ shard, token: world.token });
    let looks = 0;
    world.truth.beforeBehind = async () => void (looks += 1);
    expect(code(await world.use.getConfig(APP))).toBe('ok');
    expect([asked, looks]).toEqual([[[ACME]], 0]);
    const behind = await declareBehind(others[0] ?? 0);
    await world.pass(TTL_MS / 2);
    expect([asked, looks]).toEqual([[[ACME], [ACME]], 1]);
    const cluster = await world.use.cluster();
    expect(cluster.ok && cluster.value.shards[others[0] ?? 0]?.behind).toEqual(behind);
  });

  it('do not ask what others lack again while that is not answered', async () => {
    let looks = 0;
    world.truth.beforeBehind = () => {
      looks += 1;
      return new Promise(() => undefined);
    };
    await world.pass(3 * TTL_MS);
    expect(looks).toBe(1);
  });

  it('drop the shard that somebody else has raised, without any write', async () => {
    await world.fenceOff('acme');
    await world.pass(TTL_MS / 2);
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

  it('refuse the first write on a server that they were not raised on', async () => {
    world.truth.server = '1/00000002';
    expect(code(await world.over('acme/app', { a: 2 }))).toBe('no-owner');
    expect(world.rechecked).toContain(ACME);
    await world.claimAll();
    expect(code(await world.over('acme/app', { a: 2 }))).toBe('ok');
  });

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
  it('are served under a check that is asked after they came, however young the last one is', async () => {
    world.time.advance(1_000);
    expect(code(await world.use.getConfig(APP))).toBe('ok');
    expect(asked).toEqual([[0, 1, 2, 3]]);
    await world.fenceOff('acme');
    expect(code(await world.use.getConfig(APP))).toBe('no-owner');
    expect(world.rechecked).toEqual([ACME]);
  });

  it('of a former owner tell nothing, of whatever kind', async () => {
    await world.fenceOff('acme');
    expect(new Set(await codes(reads()))).toEqual(new Set(['no-owner']));
  });

  it('are not served under an answer that was on its way when they came', async () => {
    const readFences = world.truth.readFences.bind(world.truth);
    let arrives = (): void => undefined;
    world.truth.readFences = async (shards) => {
      const reading = await readFences(shards);
      world.truth.readFences = readFences;
      await new Promise<void>((resolve) => (arrives = resolve));
      return reading;
    };
    const before = world.use.getConfig(APP);
    await world.settle();
    await world.fenceOff('acme');
    const after = world.use.getConfig(APP);
    arrives();
    expect([code(await before), code(await after)]).toEqual(['ok', 'no-owner']);
    expect(world.rechecked).toEqual([ACME]);
  });

  it('that wait are answered by one check, and at most one waits behind it', async () => {
    const answers: (() => void)[] = [];
    world.truth.beforeFences = (shards) => {
      asked.push(shards);
      return new Promise((resolve) => answers.push(resolve));
    };
    const first = codes([world.use.getConfig(APP)]);
    await world.settle();
    const rest = codes(Array.from({ length: 100 }, () => world.use.getConfig(APP)));
    await world.settle();
    answers[0]?.();
    expect(await first).toEqual(['ok']);
    await world.settle();
    expect(asked).toHaveLength(2);
    answers[1]?.();
    expect(new Set(await rest)).toEqual(new Set(['ok']));
    expect(asked).toHaveLength(2);
  });

  it('are refused while the fences cannot be checked; status is not', async () => {
    down();
    expect(new Set(await codes(reads()))).toEqual(new Set(['truth-unavailable']));
    const { use } = world;
    const status = [use.getRollout(APP), use.listConsumers(APP, { limit: 1 }), use.cluster()];
    expect(await codes(status)).toEqual(['ok', 'ok', 'ok']);
    world.truth.beforeFences = () => Promise.resolve();
    expect(await codes(reads())).toEqual(WELL);
  });

  it('wait no longer than a third of the lease for the check', async () => {
    world.truth.beforeFences = () => new Promise(() => undefined);
    let answer: string | undefined;
    void world.use.getRelease(APP).then((outcome) => (answer = code(outcome)));
    await world.pass(1_600);
    expect(answer).toBeUndefined();
    await world.pass(100);
    expect(answer).toBe('truth-unavailable');
  });

  it('are not served by a commit of before they came', async () => {
    down();
    await world.over('acme/app', { a: 2 });
    expect(code(await world.use.getConfig(APP))).toBe('truth-unavailable');
  });

  it('of a shard claimed while a check was under way are checked by another', async () => {
    let answer = (): void => undefined;
    const first = new Promise<void>((resolve) => (answer = resolve));
    await world.pass(1_600);
    world.truth.beforeFences = (shards) => (shards.length === 1 ? Promise.resolve() : first);
    await world.pass(100);
    await world.claimAll();
    const read = world.use.getConfig(APP);
    answer();
    expect(code(await read)).toBe('ok');
    expect(world.rechecked).toEqual([]);
  });
});

describe('commands', () => {
  it('that commit need no check beside their commit', async () => {
    expect(code(await world.over('acme/app', { a: 2 }))).toBe('ok');
    expect(asked).toEqual([]);
  });

  it('that are answered from memory need one', async () => {
    const stale = { kind: 'match', versions: [7] } as const;
    expect(code(await world.put('acme/app', { a: 2 }, stale))).toBe('version-mismatch');
    expect(asked).toHaveLength(1);
    await world.fenceOff('acme');
    expect(code(await world.put('acme/app', { a: 2 }, stale))).toBe('no-owner');
  });

  it('are refused at once when nothing was checked for longer than the lease, and cannot be', async () => {
    down();
    await world.pass(TTL_MS + 50);
    expect(code(await world.over('acme/app', { a: 2 }))).toBe('truth-unavailable');
  });
});
