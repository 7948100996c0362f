import { describe, expect, it, vi } from 'vitest';
import { ManualTime } from '@pawl/kernel';
import { FailingShards } from './failing-shards.js';
import { claimKey, decodeMember, memberKey } from './ownership-keys.js';
import { Cluster, SHARDS, TTL_MS, owned } from './ownership-cluster.fixture.js';
import type { Node } from './ownership-cluster.fixture.js';

/* The machine may be busy. */
vi.setConfig({ testTimeout: 240_000 });

const moves = (nodes: readonly Node[]): number =>
  nodes.reduce((sum, { host }) => sum + host.calls.length, 0);

/** Lets a node's loads of this shard fail; answers how often one was tried. */
function breakAt({ host }: Node, broken: number): { readonly tried: () => number } {
  let tried = 0;
  host.loading = ({ shard }) => {
    if (shard !== broken) return;
    tried += 1;
    throw new Error('it takes too long');
  };
  return { tried: () => tried };
}

const AWAY = 'PostgreSQL does not answer';

/** What the node says in its member record. */
async function failingAt({ store }: Cluster, nodeId: string): Promise<readonly number[]> {
  const found = await store.range({ key: memberKey(nodeId) });
  const value = found.ok ? found.kvs[0]?.value : undefined;
  return (value === undefined ? null : decodeMember(value))?.failing ?? [];
}

describe('a shard that a ready node cannot serve', () => {
  it('is left to the next one, tried here ever more seldom, and taken back once it can be', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    const before = nodes.map(owned);
    const [shard = -1] = before[0] ?? [];
    const broken = breakAt(nodes[0], shard);
    await cluster.remove(claimKey(shard));
    await cluster.pass(TTL_MS - 500, 250);
    expect(cluster.unservedShards()).toEqual([shard]);
    await cluster.pass(TTL_MS, 250);
    expect(cluster.unserved()).toBe(0);
    expect(nodes[0].host.serving.has(shard)).toBe(false);
    const tried = broken.tried();
    expect(tried).toBeGreaterThanOrEqual(3);
    await cluster.pass(10 * TTL_MS, 500);
    expect(broken.tried()).toBe(tried);
    let unservedMs = 0;
    for (let passed = 0; passed < 60 * TTL_MS; passed += 500) {
      await cluster.pass(500, 250);
      if (cluster.unserved() > 0) unservedMs += 500;
    }
    expect(broken.tried()).toBe(tried + 2);
    expect(unservedMs).toBeLessThanOrEqual(1_000);
    nodes[0].host.loading = () => undefined;
    await cluster.pass(50 * TTL_MS, 500);
    expect(nodes.map(owned)).toEqual(before);
  });

  it('and that nobody can moves no other, and is served as soon as it can be', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    const [shard = -1] = owned(nodes[0]);
    const broken = nodes.map((node) => breakAt(node, shard));
    await cluster.remove(claimKey(shard));
    await cluster.pass(100);
    for (const { host } of nodes) host.calls.length = 0;
    await cluster.pass(60 * TTL_MS, 500);
    expect(cluster.unservedShards()).toEqual([shard]);
    expect(moves(nodes)).toBe(0);
    expect(broken.every(({ tried }) => tried() >= 3)).toBe(true);
    for (const { host } of nodes) host.loading = () => undefined;
    await cluster.pass(5_500);
    expect(cluster.unserved()).toBe(0);
  });

  it('says nothing of itself while PostgreSQL does not answer, and is tried anew when it does', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const before = nodes.map(owned);
    const [early = -1, late = -1] = before[0] ?? [];
    for (const { host } of nodes) host.loading = () => Promise.reject(new Error(AWAY));
    await cluster.remove(claimKey(early));
    await cluster.pass(4 * TTL_MS, 250);
    const listed = () => Promise.all(['node-1', 'node-2'].map((id) => failingAt(cluster, id)));
    expect(await listed()).toEqual([[early], [early]]);
    for (const { ownership } of nodes) ownership.setTruth(AWAY);
    await cluster.pass(TTL_MS / 4 + 100);
    await cluster.remove(claimKey(late));
    await cluster.pass(4 * TTL_MS, 250);
    expect(await listed()).toEqual([[early], [early]]);
    for (const { ownership, host } of nodes) {
      host.loading = () => undefined;
      ownership.setTruth(null);
    }
    await cluster.pass(5_500);
    expect(await listed()).toEqual([[], []]);
    await cluster.pass(4 * TTL_MS, 250);
    expect(nodes.map(owned)).toEqual(before);
    expect(before.flat()).toHaveLength(SHARDS);
  });
});

/** A node of three that can load none of its shards, each of which it gives up 4 s after it began. */
async function hanging() {
  const cluster = await Cluster.open();
  const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
  const before = nodes.map(owned);
  const tried: number[] = [];
  nodes[0].host.loading = ({ shard }) => {
    tried.push(shard);
    return new Promise((_, reject) => {
      cluster.time.after(4_000, () => reject(new Error('it takes too long')));
    });
  };
  for (const shard of before[0] ?? []) await cluster.remove(claimKey(shard));
  await cluster.pass(8 * TTL_MS, 250);
  expect([owned(nodes[0]), cluster.unserved()]).toEqual([[], 0]);
  expect(await failingAt(cluster, 'node-1')).toEqual(before[0]);
  expect(before[0]?.length).toBeGreaterThan(10);
  return { cluster, nodes, before, tried };
}

describe('shards of a node that can load none of them', () => {
  it('stay with those who serve them, but for one at a time, another one each time', async () => {
    const { cluster, nodes, before, tried } = await hanging();
    tried.length = 0;
    let unservedMs = 0;
    let atOnce = 0;
    // A minute, and 2, 4 and 8 of them.
    for (let passed = 0; passed < 16 * 12 * TTL_MS; passed += 500) {
      await cluster.pass(500, 250);
      atOnce = Math.max(atOnce, cluster.unserved());
      if (cluster.unserved() > 0) unservedMs += 500;
    }
    expect([tried.length, new Set(tried).size]).toEqual([4, 4]);
    expect(atOnce).toBe(1);
    expect(unservedMs).toBeLessThanOrEqual(4 * 6_000);
    expect([owned(nodes[0]), cluster.unserved()]).toEqual([[], 0]);
    expect(await failingAt(cluster, 'node-1')).toEqual(before[0]);
  });

  it('come back once one of them is served there, where the cause has passed', async () => {
    const { cluster, nodes, before } = await hanging();
    nodes[0].host.loading = () => undefined;
    let fewest = SHARDS;
    for (let passed = 0; passed < 15 * TTL_MS && owned(nodes[0]).length === 0; passed += 250) {
      fewest = Math.min(fewest, (await failingAt(cluster, 'node-1')).length);
      await cluster.pass(250);
    }
    expect(owned(nodes[0]).length).toBeGreaterThan(0);
    expect(fewest).toBeGreaterThanOrEqual((before[0]?.length ?? 0) - 1);
    await cluster.pass(2 * TTL_MS, 250);
    expect(nodes.map(owned)).toEqual(before);
    expect(await failingAt(cluster, 'node-1')).toEqual([]);
  });
});

const none = (): void => undefined;

/** Alone, and the times at which other shards than before were listed, with these. */
function list() {
  const time = new ManualTime();
  const log: string[] = [];
  const is = { ready: true };
  const failing = new FailingShards({
    clock: time,
    timer: time,
    patienceMs: 100,
    log: { debug: none, info: none, warn: none, error: none },
    firstMs: 1_000,
    isReady: () => is.ready,
    changed: () => log.push(`${time.monotonicMs()}: ${failing.listed.join(' ')}`),
  });
  return { time, log, is, failing };
}

describe('the list of failing shards', () => {
  it('begins after three failed claims within its patience or more, then after one, for twice as long each time', () => {
    const { time, log, is, failing } = list();
    for (const shard of [1, 1, 2]) failing.claimed(shard, false);
    failing.claimed(1, false);
    expect(log).toEqual([]);
    time.advance(100);
    failing.claimed(1, false);
    time.advance(1_000);
    is.ready = false;
    failing.claimed(1, false);
    is.ready = true;
    failing.claimed(2, true);
    expect(log).toEqual(['100: 1', '1100: ']);
    for (const shard of [1, 1, 2, 2]) failing.claimed(shard, false);
    expect(failing.listed).toEqual([1]);
    time.advance(2_000);
    expect(log).toEqual(['100: 1', '1100: ', '1100: 1', '3100: ']);
    failing.claimed(1, true);
    failing.claimed(1, false);
    failing.claimed(2, false);
    expect(failing.listed).toEqual([2]);
    failing.clear();
    expect([failing.listed, log.at(-1)]).toEqual([[], '3100: ']);
  });

  it('lets one go at a time, in turn, until one that it let go is served', () => {
    const { time, log, failing } = list();
    for (const shard of [1, 1, 2, 2, 3, 3]) failing.claimed(shard, false);
    time.advance(100);
    for (const shard of [1, 2, 3]) failing.claimed(shard, false);
    time.advance(1_000);
    // Nobody gives it to this node.
    time.advance(1_000);
    failing.claimed(2, false);
    time.advance(2_000);
    failing.claimed(3, false);
    time.advance(4_000);
    failing.claimed(2, true);
    failing.claimed(3, false);
    time.advance(8_000);
    failing.claimed(3, true);
    failing.claimed(1, false);
    const began = ['100: 1', '100: 1 2', '100: 1 2 3', '1100: 2 3', '2100: 3', '2100: 2 3'];
    const went = ['4100: 2', '4100: 2 3', '8100: 3', '8100: ', '8100: 3', '16100: ', '16100: 1'];
    expect(log).toEqual([...began, ...went]);
  });
});
