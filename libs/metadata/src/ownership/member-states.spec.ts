import { describe, expect, it, vi } from 'vitest';
import { textToBytes } from '../text.js';
import { claimKey } from './ownership-keys.js';
import {
  Cluster,
  SHARDS,
  TTL_MS,
  owned,
  settle,
  takeOver,
  timeText,
} from './ownership-cluster.fixture.js';
import type { Node } from './ownership-cluster.fixture.js';

/* The machine may be busy. */
vi.setConfig({ testTimeout: 240_000 });

const AWAY = 'PostgreSQL does not answer';
/** By then an unready node has said so, and the others had the time to say it too. */
const MOVED_MS = TTL_MS / 2 + TTL_MS / 2 + 100;

const moves = (nodes: readonly Node[]): number =>
  nodes.reduce((sum, { host }) => sum + host.calls.length, 0);

async function states({ ownership }: Node): Promise<string[]> {
  return (await ownership.status()).nodes.map(({ id, state }) => `${id} ${state}`);
}

describe('a node that PostgreSQL alone does not answer', () => {
  it('gives its shards to the others, and has them back once it has been ready for a while', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    const before = nodes.map(owned);
    const awayAt = cluster.time.wallMs();
    nodes[1].ownership.setTruth(AWAY);
    await cluster.pass(MOVED_MS);
    expect(owned(nodes[1])).toEqual([]);
    expect(cluster.unserved()).toBe(0);
    expect(moves(nodes)).toBe(before[1]?.length);
    const { nodes: seen } = await nodes[0].ownership.status();
    const since = timeText(awayAt + TTL_MS / 2);
    expect(seen[1]).toEqual({ id: 'node-2', state: 'unready', since, problem: AWAY });
    nodes[1].ownership.setTruth(null);
    await cluster.pass(TTL_MS);
    expect(await states(nodes[0])).toEqual(['node-1 ready', 'node-2 settling', 'node-3 ready']);
    expect(owned(nodes[1])).toEqual([]);
    await cluster.pass(2 * TTL_MS);
    expect(nodes.map(owned)).toEqual(before);
    expect(await states(nodes[0])).toEqual(['node-1 ready', 'node-2 ready', 'node-3 ready']);
  });

  it('gives all of them at once: it serves none of them', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    nodes[0].host.loading = () => new Promise(() => undefined);
    nodes[1].ownership.setTruth(AWAY);
    await cluster.pass(MOVED_MS, 100);
    expect(owned(nodes[1])).toEqual([]);
  });

  it('for less than half its TTL moves nothing and writes nothing', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const { revision } = await cluster.store.status();
    for (let blip = 0; blip < 5; blip += 1) {
      nodes[0].ownership.setTruth(AWAY);
      await cluster.pass(TTL_MS / 2 - 50);
      nodes[0].ownership.setTruth(null);
      await cluster.pass(100);
    }
    expect(moves(nodes)).toBe(0);
    expect((await cluster.store.status()).revision).toBe(revision);
  });

  it('keeps its shards while nobody ready is there to take them', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    node.ownership.setTruth(AWAY);
    await cluster.pass(4 * TTL_MS);
    expect(await states(node)).toEqual(['node-1 unready']);
    const second = await cluster.started('node-2');
    expect(owned(second)).toEqual([]);
    await cluster.pass(TTL_MS - 100);
    expect(node.host.calls).toEqual([]);
    await cluster.pass(TTL_MS);
    expect(owned(second)).toHaveLength(SHARDS);
  });

  it('gives its shards to others that are ready for a while, though lapses keep them from settling', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    for (let lapse = 0; lapse < 4; lapse += 1) {
      for (const { ownership } of nodes) ownership.setTruth(AWAY);
      await cluster.pass(TTL_MS);
      for (const { ownership } of nodes) ownership.setTruth(null);
      await cluster.pass(100);
    }
    expect(moves(nodes)).toBe(0);
    nodes[1].ownership.setTruth(AWAY);
    await cluster.pass(3 * TTL_MS);
    expect(await states(nodes[0])).toEqual(['node-1 ready', 'node-2 unready', 'node-3 ready']);
    expect(owned(nodes[1])).toEqual([]);
    expect(cluster.unserved()).toBe(0);
  });

  it('can be expected to lose its shards to a ready one, as long as PostgreSQL answers that one', async () => {
    const cluster = await Cluster.open();
    const [first, second] = await cluster.shared('node-1', 'node-2');
    const [shard = -1] = owned(second);
    const may = () => [first, second].map(({ ownership }) => ownership.mayMove(shard));
    second.ownership.setTruth(AWAY);
    expect(may()).toEqual([true, true]);
    first.ownership.setTruth(AWAY);
    await cluster.pass(TTL_MS / 4 - 50);
    first.ownership.setTruth(AWAY);
    expect(may()).toEqual([true, true]);
    await cluster.pass(100);
    expect(may()).toEqual([false, true]);
    await cluster.pass(TTL_MS / 4 + 100);
    expect(may()).toEqual([false, false]);
    first.ownership.setTruth(null);
    await cluster.pass(100);
    expect(may()).toEqual([false, false]);
  });

  it('leaves nothing without an owner while it settles, also to one that starts meanwhile', async () => {
    const cluster = await Cluster.open();
    const [first] = await cluster.shared('node-1', 'node-3');
    for (let lapse = 0; lapse < 3; lapse += 1) {
      first.ownership.setTruth(AWAY);
      await cluster.pass(8_000, 500);
      first.ownership.setTruth(null);
      await cluster.pass(1_000, 250);
    }
    await cluster.started('node-2');
    let before = new Set<number>();
    for (let second = 0; second < 60; second += 1) {
      await cluster.pass(1_000, 250);
      const now = cluster.unservedShards();
      expect(now.filter((shard) => before.has(shard))).toEqual([]);
      before = new Set(now);
    }
  });

  it('tries what it could not serve at once when PostgreSQL is back', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    node.ownership.setTruth(AWAY);
    node.host.loading = () => Promise.reject(new Error(AWAY));
    await cluster.remove(claimKey(3));
    await cluster.pass(20_000, 250);
    expect(cluster.unserved()).toBe(1);
    node.host.loading = () => undefined;
    node.ownership.setTruth(null);
    await settle();
    expect(cluster.unserved()).toBe(0);
  });
});

describe('PostgreSQL that answers nobody', () => {
  it('moves no shard, however unevenly the nodes notice that it went and came', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    for (const { ownership } of nodes) {
      ownership.setTruth(AWAY);
      await cluster.pass(900);
    }
    await cluster.pass(10 * TTL_MS, 100);
    expect(await states(nodes[2])).toEqual(['node-1 unready', 'node-2 unready', 'node-3 unready']);
    for (const { ownership } of nodes) {
      ownership.setTruth(null);
      await cluster.pass(0.9 * TTL_MS);
    }
    await cluster.pass(20 * TTL_MS, 250);
    expect(moves(nodes)).toBe(0);
  });
});

const NO_NATS = 'NATS does not answer';

describe('a node that NATS alone does not answer', () => {
  it('gives its shards to the others, and has them back once it has been ready for a while', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    const before = nodes.map(owned);
    nodes[1].ownership.setDistribution(NO_NATS);
    await cluster.pass(MOVED_MS);
    expect(owned(nodes[1])).toEqual([]);
    expect(cluster.unserved()).toBe(0);
    expect(moves(nodes)).toBe(before[1]?.length);
    const { nodes: seen } = await nodes[0].ownership.status();
    expect(seen[1]).toMatchObject({ id: 'node-2', state: 'unready', problem: NO_NATS });
    nodes[1].ownership.setDistribution(null);
    await cluster.pass(3 * TTL_MS);
    expect(nodes.map(owned)).toEqual(before);
  });

  it('and PostgreSQL neither says both, and is ready when both have answered', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    nodes[1].ownership.setTruth(AWAY);
    nodes[1].ownership.setDistribution(NO_NATS);
    await cluster.pass(MOVED_MS);
    const problem = async () => (await nodes[0].ownership.status()).nodes[1]?.problem;
    expect(await problem()).toBe(`${AWAY}; ${NO_NATS}`);
    nodes[1].ownership.setTruth(null);
    await cluster.pass(100);
    expect(await problem()).toBe(NO_NATS);
    expect(await states(nodes[0])).toEqual(['node-1 ready', 'node-2 unready']);
    nodes[1].ownership.setDistribution(null);
    await cluster.pass(100);
    expect(await states(nodes[0])).toEqual(['node-1 ready', 'node-2 settling']);
  });
});

describe('NATS that answers nobody', () => {
  it('moves no shard, however unevenly the nodes notice that it went and came', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    for (const { ownership } of nodes) {
      ownership.setDistribution(NO_NATS);
      await cluster.pass(900);
    }
    await cluster.pass(10 * TTL_MS, 100);
    expect(await states(nodes[2])).toEqual(['node-1 unready', 'node-2 unready', 'node-3 unready']);
    for (const { ownership } of nodes) {
      ownership.setDistribution(null);
      await cluster.pass(0.9 * TTL_MS);
    }
    await cluster.pass(20 * TTL_MS, 250);
    expect(moves(nodes)).toBe(0);
  });

  it('keeps no node from giving up its shards when PostgreSQL does not answer it alone', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2', 'node-3');
    const before = nodes.map(owned);
    for (const { ownership } of nodes) ownership.setDistribution(NO_NATS);
    await cluster.pass(4 * TTL_MS, 100);
    nodes[1].ownership.setTruth(AWAY);
    await cluster.pass(MOVED_MS);
    expect(owned(nodes[1])).toEqual([]);
    expect(cluster.unserved()).toBe(0);
    expect(moves(nodes)).toBe(before[1]?.length);
    nodes[1].ownership.setTruth(null);
    await cluster.pass(10 * TTL_MS, 250);
    expect(moves(nodes)).toBe(before[1]?.length);
  });
});

describe('nodes that come and go', () => {
  it('are given no shards back that they would lose again', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const perRound: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      const before = moves(nodes);
      nodes[1].ownership.setTruth(AWAY);
      await cluster.pass(8000, 250);
      nodes[1].ownership.setTruth(null);
      await cluster.pass(12_000, 250);
      perRound.push(moves(nodes) - before);
    }
    expect(perRound[0]).toBeGreaterThan(0);
    expect(perRound.slice(3)).toEqual(perRound.slice(3).map(() => 0));
    expect(cluster.unserved()).toBe(0);
  });

  it('give their shards up each time to one that has PostgreSQL', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    for (let round = 0; round < 6; round += 1) {
      for (const node of nodes) {
        node.ownership.setTruth(AWAY);
        await cluster.pass(8000, 250);
        expect(owned(node)).toEqual([]);
        expect(cluster.unserved()).toBe(0);
        node.ownership.setTruth(null);
        await cluster.pass(12_000, 250);
      }
    }
  });

  it('count as steady again after a calm time', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    const before = nodes.map(owned);
    const lapse = async (): Promise<void> => {
      nodes[1].ownership.setTruth(AWAY);
      await cluster.pass(MOVED_MS, 100);
      nodes[1].ownership.setTruth(null);
    };
    await lapse();
    await cluster.pass(41 * TTL_MS, 250);
    await lapse();
    await cluster.pass(2.5 * TTL_MS, 250);
    expect(nodes.map(owned)).toEqual(before);
  });
});

describe('a node that comes back under its id', () => {
  it('after a crash leaves its shards to the others at once, and has them back when settled', async () => {
    const cluster = await Cluster.open();
    const [first, second] = await cluster.shared('node-1', 'node-2');
    const before = owned(second);
    second.store.down = true;
    const again = await cluster.started('node-2');
    await settle();
    expect(owned(first)).toHaveLength(SHARDS);
    expect(await states(first)).toEqual(['node-1 ready', 'node-2 settling']);
    second.host.serving.clear();
    await cluster.pass(1.5 * TTL_MS);
    expect(owned(again)).toEqual(before);
  });

  it('says what it said before its lease ended', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    nodes[1].ownership.setTruth(AWAY);
    await cluster.pass(TTL_MS / 2 + 50);
    await cluster.store.revokeLease(await cluster.leaseOf('node-2'));
    await cluster.pass(500);
    expect(await states(nodes[0])).toEqual(['node-1 ready', 'node-2 unready']);
    expect(owned(nodes[0])).toHaveLength(SHARDS);
  });

  it('says what has changed while the store did not answer', async () => {
    const cluster = await Cluster.open();
    const nodes = await cluster.shared('node-1', 'node-2');
    nodes[1].store.down = true;
    nodes[1].ownership.setTruth(AWAY);
    await cluster.pass(TTL_MS / 2 + 300);
    expect(await states(nodes[0])).toEqual(['node-1 ready', 'node-2 ready']);
    nodes[1].store.down = false;
    await cluster.pass(500);
    expect(await states(nodes[0])).toEqual(['node-1 ready', 'node-2 unready']);
  });
});

describe('a claim that two nodes want', () => {
  it('is taken by the loser as soon as it is given back', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    await settle();
    await takeOver(cluster, 7);
    await settle();
    expect(node.host.serving.has(7)).toBe(false);
    await cluster.remove(claimKey(7));
    expect(node.host.serving.has(7)).toBe(true);
  });

  it('is left alone when nobody can read whose it is', async () => {
    const cluster = await Cluster.open();
    const node = await cluster.started();
    const put = { kind: 'put', key: claimKey(7), value: textToBytes('{'), lease: 0n } as const;
    await cluster.store.txn({ compare: [], success: [put], failure: [] });
    await settle();
    expect(node.ownership.map()[7]).toMatchObject({ owner: null, token: null });
    await node.ownership.stop();
    const next = await cluster.started();
    await cluster.pass(TTL_MS);
    const { revision } = await cluster.store.status();
    await cluster.pass(TTL_MS);
    expect(next.host.serving.size).toBe(SHARDS - 1);
    expect((await cluster.store.status()).revision).toBe(revision);
  });
});
