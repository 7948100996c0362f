import type { ShardMark } from '@pawl/engine';
import { beforeEach, describe, expect, it } from 'vitest';
import { textToBytes } from '../text.js';
import { claimKey } from './ownership-keys.js';
import { Cluster, TTL_MS, owned, settle, takeOver } from './ownership-cluster.fixture.js';
import type { Node } from './ownership-cluster.fixture.js';
import { decodeMark, encodeMark, markKey } from './shard-mark.js';

const SHARD = 5;

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.open();
});

const mark = (commits: bigint, token = 7n, generation = 1): ShardMark => ({
  generation,
  token: token,
  commits,
});

async function remembered(shard = SHARD): Promise<ShardMark | null> {
  const found = await cluster.store.range({ key: markKey(shard) });
  return found.ok ? decodeMark(found.kvs[0]?.value) : null;
}

async function revision(): Promise<number> {
  return (await cluster.store.status()).revision;
}

describe('how far a shard has come', () => {
  it('is remembered when it is served, and told to whoever claims it next', async () => {
    const first = cluster.node();
    first.host.marks.set(SHARD, mark(3n));
    await first.ownership.start(first.host);
    await settle();
    expect(first.host.remembered.get(SHARD)).toBeNull();
    expect(await remembered()).toEqual(mark(3n));
    await first.ownership.stop();
    const next = await cluster.started();
    expect(next.host.remembered.get(SHARD)).toEqual(mark(3n));
    expect(next.host.remembered.get(SHARD + 1)).toBeNull();
  });

  it('tells anybody the highest generation that was served', async () => {
    const { ownership, store } = await cluster.started();
    expect(await ownership.rememberedGeneration()).toBe(0);
    for (const [shard, generation] of [1, 3, 2].entries()) {
      const value = encodeMark(mark(1n, 7n, generation));
      const put = { kind: 'put', key: markKey(shard), value, lease: 0n } as const;
      await cluster.store.txn({ compare: [], success: [put], failure: [] });
    }
    expect(await ownership.rememberedGeneration()).toBe(3);
    store.down = true;
    await expect(ownership.rememberedGeneration()).rejects.toThrow();
  });

  it('is told again after the lease has ended', async () => {
    const first = cluster.node('node-1');
    first.host.marks.set(SHARD, mark(3n));
    await first.ownership.start(first.host);
    await settle();
    first.store.down = true;
    const next = await cluster.started('node-2');
    await cluster.pass(3 * TTL_MS, 250);
    expect(owned(next)).toContain(SHARD);
    expect(next.host.remembered.get(SHARD)).toEqual(mark(3n));
  });

  it('is noted now and then, all shards in few transactions, and not when nothing is new', async () => {
    const { host } = await cluster.started();
    // By then it has settled, and has said so.
    await cluster.pass(3 * TTL_MS, 250);
    for (let shard = 0; shard < 64; shard += 1) host.marks.set(shard, mark(9n));
    const before = await revision();
    await cluster.pass(TTL_MS + 100);
    expect(await remembered()).toEqual(mark(9n));
    expect(await remembered(63)).toEqual(mark(9n));
    expect((await revision()) - before).toBe(2);
    await cluster.pass(2 * TTL_MS);
    expect((await revision()) - before).toBe(2);
    host.marks.set(SHARD, mark(10n));
    await cluster.pass(TTL_MS + 100);
    expect(await remembered()).toEqual(mark(10n));
  });

  it('is noted when a shard is handed over, as it was after the last commit', async () => {
    const { host } = await cluster.started('node-1');
    host.leaving = ({ shard }) => void host.marks.set(shard, mark(77n));
    await cluster.started('node-2');
    await cluster.pass(3 * TTL_MS, 250);
    const moved = [...Array(64).keys()].find((shard) => !host.serving.has(shard)) ?? -1;
    expect(await remembered(moved)).toEqual(mark(77n));
  });

  it('is noted when a refused claim is given back, as it was after the last commit', async () => {
    const { host, ownership } = await cluster.started();
    await settle();
    const { token } = await ownership.lookUp(SHARD);
    host.leaving = ({ shard }) => void host.marks.set(shard, mark(77n));
    ownership.recheck(SHARD);
    await settle();
    expect(await remembered()).toEqual(mark(77n));
    await cluster.pass(TTL_MS, 250);
    expect(host.remembered.get(SHARD)).toEqual(mark(77n));
    expect((await ownership.lookUp(SHARD)).token).not.toBe(token);
  });

  it.each([
    ['nothing was noted since', mark(0n), mark(77n)],
    ['the next owner has noted a higher token', mark(3n, 9n), mark(77n, 9n)],
    ['the next owner has noted more', mark(80n, 9n), mark(80n, 9n)],
    ['a restore was accepted since', mark(1n, 9n, 2), mark(1n, 9n, 2)],
  ])('is noted by one who has lost the claim, where %s', async (_, noted, then) => {
    const { host } = await cluster.started();
    await settle();
    await cluster.store.txn({
      compare: [],
      success: [{ kind: 'put', key: markKey(SHARD), value: encodeMark(noted), lease: 0n }],
      failure: [],
    });
    host.leaving = ({ shard }) => void host.marks.set(shard, mark(77n));
    await takeOver(cluster, SHARD);
    await settle();
    expect(await remembered()).toEqual(then);
  });

  it('is noted by one whose claim goes between its check and giving it back', async () => {
    const { host, ownership } = await cluster.started();
    await settle();
    host.leaving = async ({ shard }) => {
      host.marks.set(shard, mark(77n));
      await takeOver(cluster, shard);
    };
    ownership.recheck(SHARD);
    await settle();
    expect(host.serving.has(SHARD)).toBe(false);
    expect(await remembered()).toEqual(mark(77n));
  });

  it.each([
    ['refused', ({ ownership }: Node) => Promise.resolve(ownership.recheck(SHARD))],
    ['to be handed over', () => cluster.started('node-2')],
  ])('is noted by one who finds that the claim is gone when it is %s', async (_, asked) => {
    const node = await cluster.started('node-1');
    const { host, store } = node;
    await settle();
    host.leaving = ({ shard }) => void host.marks.set(shard, mark(77n));
    let taken = -1;
    store.beforeRange = async ({ key }) => {
      const shard = [...Array(64).keys()].find((each) => String(claimKey(each)) === String(key));
      if (shard === undefined || taken !== -1) return;
      taken = shard;
      await takeOver(cluster, shard);
    };
    await asked(node);
    await cluster.pass(3 * TTL_MS, 250);
    expect(taken).not.toBe(-1);
    expect(host.serving.has(taken)).toBe(false);
    expect(await remembered(taken)).toEqual(mark(77n));
  });

  it('is noted by one who stops, before its lease ends, and not again where nothing is new', async () => {
    const { host, ownership, store } = await cluster.started();
    for (let shard = 0; shard < 64; shard += 1) host.marks.set(shard, mark(9n));
    await cluster.pass(2 * TTL_MS, 250);
    host.leaving = ({ shard }) => void (shard === SHARD && host.marks.set(shard, mark(77n)));
    const before = await revision();
    const revoke = store.revokeLease;
    let then: ShardMark | null = null;
    let written = 0;
    store.revokeLease = async (id) => {
      then = await remembered();
      written = (await revision()) - before;
      return revoke(id);
    };
    await ownership.stop();
    expect(then).toEqual(mark(77n));
    // Its state, and the mark.
    expect(written).toBe(2);
  });

  it('is never noted lower by one who has lost the claim, beside others who have not', async () => {
    const { host } = await cluster.started();
    await settle();
    host.marks.set(SHARD, mark(9n));
    host.marks.set(SHARD + 1, mark(9n));
    const key = claimKey(SHARD);
    await takeOver(cluster, SHARD);
    await cluster.store.txn({
      compare: [{ key, target: 'version', operator: '>', value: 0 }],
      success: [{ kind: 'put', key: markKey(SHARD), value: encodeMark(mark(50n)), lease: 0n }],
      failure: [],
    });
    await cluster.pass(TTL_MS + 100);
    expect(await remembered()).toEqual(mark(50n));
    expect(await remembered(SHARD + 1)).toEqual(mark(9n));
  });

  it.each(['', '{', 'null', '{"generation":1}', '{"generation":1,"token":"-1","commits":"0"}'])(
    'is not known from %j',
    (text) => {
      expect(decodeMark(textToBytes(text))).toBeNull();
    },
  );
});
