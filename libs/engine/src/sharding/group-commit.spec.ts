import { address, shardOf } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimedWorld, code } from '../testing/engine-world.fixture.js';
import type { EngineWorld } from '../testing/engine-world.js';
import { changes } from '../testing/truth-subject.js';
import { OutcomeUnknownError, TruthUnavailableError } from './truth-store.port.js';

const SHARDS = 4;
const ACME = shardOf('acme', SHARDS);
/** Another root of the same shard. */
const NEAR = Array.from({ length: 100 }, (_, each) => `near${each}`).find(
  (root) => shardOf(root, SHARDS) === ACME,
) as string;

let world: EngineWorld;
beforeEach(async () => {
  world = await claimedWorld();
  for (const root of ['acme', NEAR]) await world.put(`${root}/app`, { n: 0 });
  for (const name of ['first', 'other']) await world.put(`acme/${name}`, { n: 0 });
  await world.settle();
  world.committed.length = 0;
});

/** Holds the next transaction back; answers what lets it go. */
function holdNext(): () => void {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  world.truth.beforeCommit = () => {
    world.truth.beforeCommit = () => Promise.resolve();
    return released;
  };
  return release;
}

/** A command whose transaction is under way, and three that wait: two of them under one root. */
async function group(): Promise<{ release: () => void; codes: Promise<string[]> }> {
  const release = holdNext();
  const first = world.over('acme/first', { n: 1 });
  await world.settle();
  const waiting = ['acme/app', `${NEAR}/app`, 'acme/other'].map((at) => world.over(at, { n: 1 }));
  await world.settle();
  return { release, codes: Promise.all([first, ...waiting]).then((all) => all.map(code)) };
}

describe('commands of one shard that wait together', () => {
  it('share one transaction', async () => {
    const { release, codes } = await group();
    release();
    expect(await codes).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(world.committed).toEqual([1, 3]);
    expect(await world.over(`${NEAR}/app`, { n: 2 })).toMatchObject({
      value: { body: { version: 3 } },
    });
    await world.restart();
    expect(await world.use.getConfig(address('acme/other'))).toMatchObject({
      value: { version: 2, document: { n: 1 } },
    });
  });

  it('are all refused by the fence, which drops the shard once, and nothing is written', async () => {
    const { release, codes } = await group();
    await world.fenceOff('acme');
    const sentAfter: string[] = [];
    world.truth.beforeCommit = async ({ root }) => void sentAfter.push(root);
    release();
    expect(await codes).toEqual(['no-owner', 'no-owner', 'no-owner', 'no-owner']);
    expect(sentAfter).toEqual([]);
    expect(world.rechecked).toEqual([ACME]);
    expect(world.committed).toEqual([]);
    expect((await world.truth.readAudit({ limit: 100 })).length).toBe(4);
  });

  it('are refused by the fence as a group too', async () => {
    const { release, codes } = await group();
    world.truth.afterCommit = () => {
      world.truth.afterCommit = () => undefined;
      void world.fenceOff('acme');
    };
    release();
    expect(await codes).toEqual(['ok', 'no-owner', 'no-owner', 'no-owner']);
    expect(world.rechecked).toEqual([ACME]);
  });

  it('are all in doubt when the answer is lost, before anybody else has their roots', async () => {
    const { release, codes } = await group();
    world.truth.afterCommit = (changeset) => {
      if (changeset.root !== NEAR) return;
      world.truth.afterCommit = () => undefined;
      throw new OutcomeUnknownError('connection lost');
    };
    const next = ['acme/app', `${NEAR}/app`].map((at) => world.over(at, { n: 2 }));
    const released = [`${NEAR}/app`, 'acme/other'].map((at) => world.promote(at));
    release();
    const unknown = ['outcome-unknown', 'outcome-unknown', 'outcome-unknown'];
    expect(await codes).toEqual(['ok', ...unknown]);
    expect((await Promise.all([...next, ...released])).map(code)).toEqual([
      'outcome-unknown',
      ...unknown,
    ]);
    expect(world.incidents).toEqual([]);
    await world.pass(1_000);
    for (const at of ['acme/app', `${NEAR}/app`, 'acme/other']) {
      expect(await world.over(at, { n: 3 })).toMatchObject({ value: { body: { version: 3 } } });
    }
  });

  it('are written though one of them finds another memory than the truth', async () => {
    const { definitions } = await writtenBehind(`${NEAR}/app`);
    const { release, codes } = await group();
    await world.truth.commit({ shard: ACME, token: world.token }, changes(NEAR, { definitions }));
    release();
    expect(await codes).toEqual(['ok', 'ok', 'outcome-unknown', 'ok']);
    expect(world.incidents).toEqual(['memory-differs']);
    expect(world.committed).toEqual([1, 1, 1]);
    expect(await world.over(`${NEAR}/app`, { n: 2 })).toMatchObject({
      value: { body: { version: 3 } },
    });
  });

  it('change nothing while PostgreSQL is away', async () => {
    const { release, codes } = await group();
    release();
    world.truth.beforeCommit = () => Promise.reject(new TruthUnavailableError('down'));
    const unavailable = 'truth-unavailable';
    expect((await codes).slice(1)).toEqual([unavailable, unavailable, unavailable]);
    world.truth.beforeCommit = () => Promise.resolve();
    expect(await world.over('acme/app', { n: 2 })).toMatchObject({
      value: { body: { version: 2 } },
    });
  });

  it('are committed before the shard is handed over, and what comes then is refused', async () => {
    const { release, codes } = await group();
    let handedOver = false;
    const lost = world.engine.host
      .lost({ shard: ACME, token: world.token })
      .then(() => (handedOver = true));
    const late = world.over('acme/app', { n: 2 });
    await world.settle();
    expect([code(await late), handedOver]).toEqual(['no-owner', false]);
    release();
    expect(await codes).toEqual(['ok', 'ok', 'ok', 'ok']);
    await lost;
    expect(world.committed).toEqual([1, 3]);
  });

  it('hold a hand-over up for a third of a lease at most', async () => {
    const { release, codes } = await group();
    let handedOver = false;
    void world.engine.host
      .lost({ shard: ACME, token: world.token })
      .then(() => (handedOver = true));
    await world.pass(1_600);
    expect(handedOver).toBe(false);
    await world.pass(100);
    expect(handedOver).toBe(true);
    release();
    expect(await codes).toEqual(['ok', 'no-owner', 'no-owner', 'no-owner']);
  });

  it('are known when the shard was given up in vain and is served again under the same token', async () => {
    const { release, codes } = await group();
    const fence = { shard: ACME, token: world.token };
    void world.engine.host.lost(fence);
    await world.pass(1_700);
    let isServed = false;
    const served = world.engine.host.claimed(fence).then(() => (isServed = true));
    await world.settle();
    expect(isServed).toBe(false);
    release();
    await served;
    expect(await codes).toEqual(['ok', 'no-owner', 'no-owner', 'no-owner']);
    expect(await world.use.getConfig(address('acme/first'))).toMatchObject({
      value: { version: 2, document: { n: 1 } },
    });
  });
});

describe('too many writes of one shard', () => {
  it('are refused, and say so', async () => {
    const small = await claimedWorld({ maxWaiters: 2 });
    world = small;
    const release = holdNext();
    const first = small.put('acme/first', {});
    await small.settle();
    const waiting = ['a', 'b'].map((name) => small.put(`${NEAR}/${name}`, {}));
    await small.settle();
    expect(code(await small.put('acme/c', {}))).toBe('too-many-requests');
    release();
    expect((await Promise.all([first, ...waiting])).map(code)).toEqual(['ok', 'ok', 'ok']);
    expect(code(await small.put('acme/c', {}))).toBe('ok');
  });

  it('that wait longer than a lease are refused, and surely not written', async () => {
    const { release, codes } = await group();
    await world.pass(5_050);
    release();
    const unavailable = 'truth-unavailable';
    expect(await codes).toEqual(['ok', unavailable, unavailable, unavailable]);
    expect(world.committed).toEqual([1]);
  });
});

/** The next definition of an address, as somebody would write it past its owner. */
async function writtenBehind(at: string) {
  const read = await world.use.getConfig(address(at));
  if (!read.ok) throw new Error(at);
  const definition = {
    address: address(at).text,
    version: read.value.version + 1,
    document: { text: '{"foreign":true}', hash: 'f'.repeat(64) },
    schema: null,
    author: 'somebody',
    createdAt: '2026-01-01T00:00:00.000Z',
  };
  return { definitions: [definition] };
}
