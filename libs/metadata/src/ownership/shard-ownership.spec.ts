import { describe, expect, it, vi } from 'vitest';
import { textToBytes } from '../text.js';
import { claimKey, memberKey } from './ownership-keys.js';
import {
  Cluster,
  EPOCH_1,
  SHARDS,
  TTL_MS,
  owned,
  settle,
  tokens,
} from './ownership-cluster.fixture.js';

/* The machine may be busy. */
vi.setConfig({ testTimeout: 240_000 });

describe('a node alone', () => {
  it('owns every shard once it has started, with a token each from the store', async () => {
    const cluster = await Cluster.open();
    const before = cluster.folder.journal.length;
    const node = await cluster.started();
    expect(node.host.serving.size).toBe(SHARDS);
    const map = node.ownership.map();
    expect(map.map(({ shard }) => shard)).toEqual([...Array(SHARDS).keys()]);
    await settle();
    const claims = node.ownership.map();
    expect(claims.map(({ token }) => token)).toEqual(tokens(node));
    expect(new Set(tokens(node)).size).toBe(SHARDS);
    const claim = await cluster.store.range({ key: claimKey(7) });
    const revision = claim.ok ? (claim.kvs[0]?.createRevision ?? 0) : 0;
    expect(node.host.serving.get(7)).toBe(EPOCH_1 + BigInt(revision));
    const syncs = cluster.folder.journal.slice(before).filter(({ op }) => op === 'sync');
    expect(syncs.length).toBeLessThanOrEqual(8);
    expect(await node.ownership.status()).toMatchObject({
      nodes: [{ id: 'node-1', state: 'ready' }],
      quorum: { members: ['m'], leader: 'm' },
    });
  });

  it('keeps its shards for as long as it renews its lease', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    const first = tokens(node);
    await cluster.pass(10 * TTL_MS);
    expect(tokens(node)).toEqual(first);
    expect(node.host.calls).toEqual([]);
  });

  it('after a kill -9 ends its former lease at once and gets higher tokens', async () => {
    const cluster = await Cluster.open();
    const former = await cluster.started();
    former.store.down = true;
    const highest = tokens(former).reduce((a, b) => (a > b ? a : b));
    const next = await cluster.started();
    expect(next.host.serving.size).toBe(SHARDS);
    for (const token of tokens(next)) expect(token > highest).toBe(true);
  });

  it('hands everything back when it stops', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    await node.ownership.stop();
    expect(node.host.serving.size).toBe(0);
    for (const key of [memberKey('node-1'), claimKey(0), claimKey(63)]) {
      expect(await cluster.store.range({ key })).toMatchObject({ count: 0 });
    }
    const { revision } = await cluster.store.status();
    await cluster.pass(3 * TTL_MS);
    expect((await cluster.store.status()).revision).toBe(revision);
  });
});

describe('a claim of a former incarnation', () => {
  it('is never taken up again, whoever holds it', async () => {
    const cluster = await Cluster.open();
    const value = textToBytes('{"node":"node-1","incarnation":"former","epoch":"1"}');
    const put = { kind: 'put', key: claimKey(6), value, lease: 0n } as const;
    await cluster.store.txn({ compare: [], success: [put], failure: [] });
    const node = await cluster.started();
    await cluster.pass(20_000);
    expect(node.host.serving.size).toBe(SHARDS - 1);
    expect(node.ownership.map()[6]).toMatchObject({ owner: 'node-1', token: EPOCH_1 + 2n });
    await cluster.remove(claimKey(6));
    await cluster.pass(6000);
    expect(node.host.serving.size).toBe(SHARDS);
  });
});

describe('a node id', () => {
  it('that a live process from another folder bears is refused', async () => {
    const cluster = await Cluster.open();
    await cluster.started('node-1', 'one folder');
    const second = cluster.node('node-1', 'another folder');
    const refused = expect(second.ownership.start(second.host)).rejects.toThrow(
      /node id "node-1" is in use by a process with another data folder/,
    );
    await cluster.pass(2 * TTL_MS + 500);
    await refused;
    expect(second.host.serving.size).toBe(0);
    await second.ownership.stop();
  });

  it('of a dead process from another folder is free once its lease has run out', async () => {
    const cluster = await Cluster.open();
    const first = await cluster.started('node-1', 'one folder');
    first.store.down = true;
    const second = cluster.node('node-1', 'another folder');
    const started = second.ownership.start(second.host);
    await cluster.pass(TTL_MS - 100);
    expect(second.host.serving.size).toBe(0);
    await cluster.pass(1000);
    await started;
    expect(second.host.serving.size).toBe(SHARDS);
  });
});

describe('a shard that cannot be served', () => {
  it('is given back and claimed anew with a higher token, ever later', async () => {
    const cluster = await Cluster.open();
    const node = cluster.node();
    const attempts: { atMs: number; token: bigint }[] = [];
    node.host.loading = ({ shard, token }) => {
      if (shard !== 3) return;
      attempts.push({ atMs: cluster.time.monotonicMs(), token });
      if (attempts.length < 4) throw new Error('PostgreSQL is away');
    };
    await node.ownership.start(node.host);
    expect(node.host.serving.size).toBe(SHARDS - 1);
    expect(await cluster.store.range({ key: claimKey(3) })).toMatchObject({ count: 0 });
    await cluster.pass(2000);
    expect(node.host.serving.size).toBe(SHARDS);
    expect(attempts.map(({ atMs }) => atMs)).toEqual([0, 100, 300, 700]);
    const seen = attempts.map(({ token }) => token);
    expect([...seen].sort((a, b) => (a < b ? -1 : 1))).toEqual(seen);
  });

  it('because the fence refuses its token is dropped and claimed anew', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    const before = node.host.serving.get(5) ?? 0n;
    node.ownership.recheck(5);
    await settle();
    expect(node.host.calls).toEqual(['lost 5']);
    await cluster.pass(200);
    expect((node.host.serving.get(5) ?? 0n) > before).toBe(true);
    expect(cluster.warnings, 'who refused it warns of all shards at once').toEqual([]);
  });
});

describe('a shard whose fence refuses its owner', () => {
  it('while the claim is still being served is checked once it is', async () => {
    const cluster = await Cluster.open();
    const node = cluster.node();
    const tokens: bigint[] = [];
    node.host.loading = ({ shard, token }) => {
      if (shard !== 5) return;
      tokens.push(token);
      if (tokens.length === 1) node.ownership.recheck(5);
    };
    await node.ownership.start(node.host);
    await cluster.pass(500);
    expect(node.host.calls).toEqual(['lost 5']);
    expect(tokens).toHaveLength(2);
    expect(node.host.serving.get(5)).toBe(tokens[1]);
  });
});

describe('what is taken away', () => {
  it('a claim: the shard is lost, then claimed anew', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    const before = node.host.serving.get(9) ?? 0n;
    await cluster.remove(claimKey(9));
    expect(node.host.calls).toEqual(['lost 9']);
    expect((node.host.serving.get(9) ?? 0n) > before).toBe(true);
  });

  it('a claim while the shard is still loading: it is lost as soon as it is served', async () => {
    const cluster = await Cluster.open();
    const node = cluster.node();
    let release = (): void => undefined;
    let held = true;
    node.host.loading = ({ shard }) =>
      shard === 2 && held ? new Promise((resolve) => (release = resolve)) : undefined;
    const started = node.ownership.start(node.host);
    await settle();
    const before = (await cluster.store.status()).revision;
    await cluster.remove(claimKey(2));
    expect(node.host.calls).toEqual([]);
    held = false;
    release();
    await started;
    await settle();
    expect(node.host.calls).toEqual(['lost 2']);
    expect((node.host.serving.get(2) ?? 0n) > EPOCH_1 + BigInt(before)).toBe(true);
  });

  it.each(['the lease', 'the member record'])(
    '%s: all is lost, then claimed anew',
    async (what) => {
      const cluster = await Cluster.open();
      const node = await cluster.started();
      const highest = tokens(node).reduce((a, b) => (a > b ? a : b));
      if (what === 'the lease') await cluster.store.revokeLease(await cluster.leaseOf('node-1'));
      else await cluster.remove(memberKey('node-1'));
      await cluster.pass(500);
      expect(node.host.calls).toHaveLength(SHARDS);
      expect(node.host.serving.size).toBe(SHARDS);
      for (const token of tokens(node)) expect(token > highest).toBe(true);
      await cluster.pass(3 * TTL_MS);
      expect(node.host.calls).toHaveLength(SHARDS);
    },
  );
});

describe('a store that does not answer', () => {
  it('leaves the owner serving, however long', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    node.store.down = true;
    await cluster.pass(TTL_MS - 1000);
    expect(node.host.serving.size).toBe(SHARDS);
    node.store.down = false;
    await cluster.pass(4 * TTL_MS);
    expect(node.host.calls).toEqual([]);
    node.store.down = true;
    await cluster.store.close();
    await cluster.pass(10 * TTL_MS);
    expect(node.host.calls).toEqual([]);
    expect(node.host.serving.size).toBe(SHARDS);
  });

  it('for too long loses the shards, when the owner hears of it; it claims them anew', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    const highest = tokens(node).reduce((a, b) => (a > b ? a : b));
    node.store.down = true;
    await cluster.pass(TTL_MS + 100);
    expect(node.host.calls).toHaveLength(SHARDS);
    expect(node.host.serving.size).toBe(0);
    node.store.down = false;
    await cluster.pass(6000);
    expect(node.host.serving.size).toBe(SHARDS);
    for (const token of tokens(node)) expect(token > highest).toBe(true);
  });

  it('that did a claim whose answer was lost is asked again, and the claim is used', async () => {
    const cluster = await Cluster.open();
    const node = cluster.node();
    await node.ownership.start(node.host);
    node.store.loseAnswers = 1;
    await cluster.remove(claimKey(4));
    expect(node.host.serving.has(4)).toBe(false);
    await cluster.pass(300);
    const claim = await cluster.store.range({ key: claimKey(4) });
    const revision = claim.ok ? (claim.kvs[0]?.createRevision ?? 0) : 0;
    expect(node.host.serving.get(4)).toBe(EPOCH_1 + BigInt(revision));
  });
});

describe('two nodes', () => {
  it('share the shards once the second has settled; each shard has one owner', async () => {
    const cluster = await Cluster.open();
    const first = await cluster.started('node-1');
    await cluster.pass(TTL_MS);
    const second = await cluster.started('node-2');
    expect(owned(first)).toHaveLength(SHARDS);
    await cluster.pass(TTL_MS - 100);
    expect(owned(second)).toHaveLength(0);
    await cluster.pass(5000);
    expect([...owned(first), ...owned(second)].sort((a, b) => a - b)).toEqual([
      ...Array(SHARDS).keys(),
    ]);
    expect(owned(second).length).toBeGreaterThan(16);
    expect(owned(second).length).toBeLessThan(48);
    expect(first.ownership.map()).toEqual(second.ownership.map());
  });

  it("give a stopped node's shards to the other at once, and a dead one's after its TTL", async () => {
    const cluster = await Cluster.open();
    const nodes = [
      await cluster.started('node-1'),
      await cluster.started('node-2'),
      await cluster.started('node-3'),
    ] as const;
    await cluster.pass(15_000);
    expect(nodes.every((node) => owned(node).length > 8)).toBe(true);
    await nodes[2].ownership.stop();
    await cluster.pass(100);
    expect(owned(nodes[0]).length + owned(nodes[1]).length).toBe(SHARDS);
    nodes[1].store.down = true;
    await cluster.pass(TTL_MS + 500);
    expect(owned(nodes[0])).toHaveLength(SHARDS);
  });
});

describe('keys that somebody else wrote', () => {
  it('do not confuse the owner', async () => {
    const cluster = await Cluster.open();
    for (const key of ['pawl/members/x', 'pawl/claims/1e3', 'pawl/claims/00x', 'pawl/else']) {
      await cluster.store.txn({
        compare: [],
        success: [{ kind: 'put', key: textToBytes(key), value: textToBytes('{'), lease: 0n }],
        failure: [],
      });
    }
    const node = await cluster.started();
    expect(node.host.serving.size).toBe(SHARDS);
  });
});
