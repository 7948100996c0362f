import { describe, expect, it, vi } from 'vitest';
import { memberKey } from './ownership-keys.js';
import { Cluster, SHARDS, TTL_MS, owned, settle } from './ownership-cluster.fixture.js';
import type { Node } from './ownership-cluster.fixture.js';

/* The machine may be busy. */
vi.setConfig({ testTimeout: 240_000 });

/** Whether it has come to its end by itself, without time passing. */
async function hasEnded(work: Promise<void>): Promise<boolean> {
  let ended = false;
  void work.then(() => (ended = true));
  await settle(400);
  return ended;
}

/** The most shards that are without service at once from now on. */
function watchService(cluster: Cluster): { most: number } {
  const seen = { most: 0 };
  for (const host of cluster.hosts) {
    host.changed = () => void (seen.most = Math.max(seen.most, cluster.unserved()));
  }
  return seen;
}

describe('a node that drains', () => {
  it('hands all its shards over without a wait, two at a time at most', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    const service = watchService(cluster);
    const leaving = owned(nodes[1]);
    const atMs = cluster.time.monotonicMs();
    await nodes[1].ownership.drain();
    expect(cluster.time.monotonicMs()).toBe(atMs);
    expect(owned(nodes[1])).toEqual([]);
    expect(nodes[1].host.calls).toHaveLength(leaving.length);
    expect(cluster.unserved()).toBe(0);
    expect(service.most).toBeGreaterThan(0);
    expect(service.most).toBeLessThanOrEqual(2);
    expect((await nodes[0].ownership.status()).nodes[1]).toMatchObject({ state: 'draining' });
  });

  it('claims nothing any more, also when the others go', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    await nodes[0].ownership.drain();
    nodes[1].store.down = true;
    await cluster.pass(3 * TTL_MS, 100);
    expect(owned(nodes[0])).toEqual([]);
  });

  it('waits for the next owner of two shards before it goes on', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const before = owned(nodes[0]).length;
    let release = (): void => undefined;
    const slow = new Promise<void>((resolve) => (release = resolve));
    nodes[1].host.loading = () => slow;
    const draining = nodes[0].ownership.drain();
    await settle();
    expect(owned(nodes[0])).toHaveLength(before - 2);
    nodes[1].host.loading = () => undefined;
    release();
    await draining;
    expect(owned(nodes[1])).toHaveLength(SHARDS);
  });

  it('does not wait for ever for a next owner that cannot serve', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    nodes[1].host.loading = () => Promise.reject(new Error('PostgreSQL is away'));
    const draining = nodes[0].ownership.drain();
    await cluster.pass(8_100, 100);
    expect(await hasEnded(draining)).toBe(true);
    await nodes[0].ownership.stop();
    nodes[1].host.loading = () => undefined;
    await cluster.pass(5100, 100);
    expect(owned(nodes[1])).toHaveLength(SHARDS);
  });

  it('and cannot in time ends its lease at once: the others need not wait for the rest of the stop', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    nodes[0].host.leaving = () => new Promise(() => undefined);
    const stuck = owned(nodes[0]).slice(0, 2);
    const draining = nodes[0].ownership.drain();
    await cluster.pass(7_900, 100);
    const before = owned(nodes[1]).length + owned(nodes[2]).length;
    nodes[0].host.cutOff = () => true;
    await cluster.pass(200);
    expect(await hasEnded(draining)).toBe(true);
    expect(before).toBeLessThan(SHARDS);
    expect(owned(nodes[1]).length + owned(nodes[2]).length).toBe(SHARDS);
    expect([...owned(nodes[1]), ...owned(nodes[2])]).toEqual(expect.arrayContaining(stuck));
    expect(await cluster.store.range({ key: memberKey('node-1') })).toMatchObject({ count: 0 });
  });

  it('may stop when what it serves was given to a member that has not settled', async () => {
    const cluster = await Cluster.open();
    const first = await cluster.started('node-1');
    await cluster.pass(TTL_MS);
    const second = await cluster.started('node-2');
    await first.ownership.stop();
    expect(owned(second)).toHaveLength(SHARDS);
  });

  it('and dies meanwhile leaves nothing unserved for longer than its lease', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    let left = 5;
    nodes[0].host.leaving = () => {
      left -= 1;
      if (left === 0) nodes[0].store.down = true;
    };
    void nodes[0].ownership.drain();
    await settle();
    expect(owned(nodes[1]).length).toBeLessThan(SHARDS);
    await cluster.pass(TTL_MS + 500);
    expect(owned(nodes[1])).toHaveLength(SHARDS);
  });
});

describe('a node that stops', () => {
  it('drains first, so that no shard waits for more than its own hand-over', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const service = watchService(cluster);
    await nodes[0].ownership.stop();
    expect(owned(nodes[1])).toHaveLength(SHARDS);
    expect(service.most).toBeLessThanOrEqual(2);
    expect(await cluster.store.range({ key: memberKey('node-1') })).toMatchObject({ count: 0 });
  });

  it.each(['alone', 'beside one that is not ready'])('%s: at once', async (how) => {
    const cluster = await Cluster.open();
    const nodes = [await cluster.started('node-1')];
    if (how !== 'alone') {
      const other = await cluster.started('node-2');
      other.ownership.setTruth('PostgreSQL does not answer');
      await cluster.pass(TTL_MS);
    }
    const [node] = nodes as [Node];
    expect(await hasEnded(node.ownership.stop())).toBe(true);
    expect(owned(node)).toEqual([]);
  });

  it('while the store does not answer: serves on for two seconds at most, and does not hang', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const before = owned(nodes[0]);
    nodes[0].store.down = true;
    const stopping = nodes[0].ownership.stop();
    await cluster.pass(1900);
    expect(owned(nodes[0])).toEqual(before);
    await cluster.pass(200);
    expect(await hasEnded(stopping)).toBe(true);
    expect(owned(nodes[0])).toEqual([]);
  });
});

describe('a node that stops and cannot put a shard away', () => {
  it('ends its lease all the same', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    node.host.leaving = () => new Promise(() => undefined);
    const stopping = node.ownership.stop();
    await cluster.pass(2_100);
    expect(await hasEnded(stopping)).toBe(true);
    expect(await cluster.store.range({ key: memberKey('node-1') })).toMatchObject({ count: 0 });
  });
});

describe('a hand-over', () => {
  it('is not begun while the store does not answer', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const { store, host, ownership } = nodes[0];
    ownership.setTruth('PostgreSQL does not answer');
    await cluster.pass(TTL_MS / 2 + 100);
    store.down = true;
    await cluster.pass(TTL_MS / 2 + 500);
    expect(host.calls).toEqual([]);
    store.down = false;
    await cluster.pass(500);
    expect(owned(nodes[0])).toEqual([]);
    expect(cluster.unserved()).toBe(0);
  });

  it('is taken back when the store stops answering before the claim is given back', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const before = owned(nodes[0]);
    const { store, host, ownership } = nodes[0];
    host.leaving = () => void (store.down = true);
    const draining = ownership.drain();
    await settle();
    expect(host.calls.length).toBeGreaterThan(0);
    expect(owned(nodes[0])).toEqual(before);
    host.leaving = () => undefined;
    store.down = false;
    await cluster.pass(1000);
    await draining;
    expect(owned(nodes[1])).toHaveLength(SHARDS);
  });

  it('whose answer was lost ends with the next owner all the same', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const { store, host, ownership } = nodes[0];
    let once = true;
    host.leaving = () => {
      if (once) store.loseAnswers = 1;
      once = false;
    };
    const draining = ownership.drain();
    await cluster.pass(1000);
    await draining;
    expect(owned(nodes[1])).toHaveLength(SHARDS);
  });
});
