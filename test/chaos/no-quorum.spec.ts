import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Cluster, Node } from './cluster/cluster.js';
import { STALLED } from './network/links.js';
import { startCluster } from './quorum-under-test.js';

let cluster: Cluster | undefined;

afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

async function started(nodes: number): Promise<Cluster> {
  cluster = await startCluster({ nodes });
  return cluster;
}

const put = (on: Cluster, node: Node, key: string, value: string) =>
  on.asks(node, (client) => client.perform({ kind: 'put', key, value }));
const get = (on: Cluster, node: Node, key: string, serializable = false) =>
  on.asks(node, (client) => client.perform({ kind: 'range', key, serializable }));

function cut(on: Cluster, a: Node, b: Node): void {
  on.links.set(a.plan.name, b.plan.name, STALLED);
  on.links.set(b.plan.name, a.plan.name, STALLED);
}

describe('without a quorum', () => {
  it('#2 a leader that is cut off does not answer reads, only those that may be old', async () => {
    const on = await started(3);
    const old = await on.leader();
    const rest = on.nodes.filter((node) => node !== old);
    expect((await put(on, old, 'a', 'before')).kind).toBe('ok');
    for (const other of rest) cut(on, old, other);
    await eventually(async () => expect((await put(on, rest[0]!, 'a', 'after')).kind).toBe('ok'));
    for (let tries = 0; tries < 3; tries += 1) {
      expect((await get(on, old, 'a')).kind).not.toBe('ok');
      expect((await put(on, old, 'b', 'never')).kind).not.toBe('ok');
    }
    const stale = await get(on, old, 'a', true);
    expect(stale).toMatchObject({ kind: 'ok', answer: { kvs: [{ value: 'before' }] } });
    on.links.heal();
    await on.ready();
    expect(await get(on, old, 'a')).toMatchObject({ answer: { kvs: [{ value: 'after' }] } });
  });

  it('#29 a node that starts alone answers no read from its log', async () => {
    const on = await started(3);
    const [one, two, three] = on.nodes as [Node, Node, Node];
    expect((await put(on, one, 'a', '1')).kind).toBe('ok');
    await Promise.all([two.process.kill9(), three.process.kill9()]);
    await one.process.kill9();
    await one.process.start();
    for (let tries = 0; tries < 20; tries += 1) {
      expect((await get(on, one, 'a')).kind).not.toBe('ok');
      await delay(on.electionMs / 5);
    }
    expect(one.process.isRunning()).toBe(true);
    await two.process.start();
    await eventually(async () => expect((await get(on, one, 'a')).kind).toBe('ok'));
  });
});

describe('with a quorum that not everybody reaches', () => {
  it('#22 a follower that does not hear the leader does not take it down', async () => {
    const on = await started(5);
    const leader = await on.leader();
    const term = await termOf(on, leader);
    const [deaf, ...rest] = on.nodes.filter((node) => node !== leader);
    cut(on, leader, deaf!);
    for (let at = 0; at < 20; at += 1) {
      expect((await put(on, rest[at % rest.length]!, 'a', `${at}`)).kind).toBe('ok');
      await delay(on.electionMs / 5);
    }
    expect(await on.leader()).toBe(leader);
    expect(await termOf(on, leader)).toBe(term);
    on.links.heal();
    await on.ready();
    expect(await termOf(on, leader)).toBe(term);
  });

  it('#22 a chain of nodes still has a leader that stays', async () => {
    const on = await started(5);
    const { nodes } = on;
    // Each reaches its two neighbours, and the one in the middle everybody.
    const middle = nodes[2]!;
    for (const a of nodes) {
      for (const b of nodes) {
        const apart = Math.abs(nodes.indexOf(a) - nodes.indexOf(b));
        if (a !== b && apart > 1 && a !== middle && b !== middle) cut(on, a, b);
      }
    }
    await eventually(async () => expect((await put(on, middle, 'a', '1')).kind).toBe('ok'), 40_000);
    const leader = await on.leader();
    const term = await termOf(on, leader);
    for (let at = 0; at < 15; at += 1) {
      expect((await put(on, middle, 'a', `${at}`)).kind).toBe('ok');
      await delay(on.electionMs / 5);
    }
    expect(await termOf(on, leader)).toBe(term);
  });

  it('#19 reads go on while leadership is handed to a node that cannot be reached', async () => {
    const on = await started(3);
    const leader = await on.leader();
    const [target, other] = on.nodes.filter((node) => node !== leader) as [Node, Node];
    expect((await put(on, leader, 'a', '1')).kind).toBe('ok');
    cut(on, leader, target);
    cut(on, other, target);
    const moving = on.asks(leader, (client) => client.moveLeader(target.memberId));
    for (const value of ['2', '3']) {
      await eventually(async () => expect((await put(on, leader, 'a', value)).kind).toBe('ok'));
      await eventually(async () =>
        expect(await get(on, other, 'a')).toMatchObject({ answer: { kvs: [{ value }] } }),
      );
    }
    expect((await moving).ok).toBe(false);
    on.links.heal();
    await on.ready();
    expect(await get(on, target, 'a')).toMatchObject({ answer: { kvs: [{ value: '3' }] } });
  });
});

async function termOf(on: Cluster, node: Node): Promise<string> {
  return on.asks(node, async (client) => {
    const status = await client.status();
    if (!status.ok) throw new Error(status.details);
    return status.message.raftTerm;
  });
}
