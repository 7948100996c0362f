import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Cluster, Node } from './cluster/cluster.js';
import { SyscallInjection, type Injection, type Syscalls } from './faults/syscall-injection.js';
import { isPawl, startCluster } from './quorum-under-test.js';

const HANG: Injection = { kind: 'delay', ms: 60_000 };

/** Of three nodes, for all tests but those that bring their own. */
let on: Cluster;
const injections: SyscallInjection[] = [];

beforeAll(async () => {
  on = await startCluster();
});

afterEach(async () => {
  await lift();
  await on.heal();
  await on.ready();
});

afterAll(async () => {
  await on?.stop();
});

async function inject(node: Node, calls: Syscalls, injection: Injection): Promise<void> {
  const { pid, dataFolder } = node.process;
  injections.push(await SyscallInjection.into({ pid, calls, injection, below: dataFolder }));
}

async function lift(): Promise<void> {
  for (const injection of injections.splice(0)) await injection.lift();
}

const put = (key: string, value: string) => ({ kind: 'put', key, value }) as const;

function perform(cluster: Cluster, node: Node, request: ReturnType<typeof put>) {
  return cluster.asks(node, (client) => client.perform(request));
}

/** Puts until one is answered; the nodes take turns. */
async function putSomewhere(nodes: readonly Node[], key: string): Promise<void> {
  let at = 0;
  await eventually(async () => {
    at += 1;
    const outcome = await perform(on, nodes[at % nodes.length]!, put(key, `${key}.${at}`));
    expect(outcome.kind).toBe('ok');
  }, 30_000);
}

async function keysOf(cluster: Cluster, node: Node, prefix: string): Promise<string[]> {
  return eventually(async () => {
    const outcome = await cluster.asks(node, (client) =>
      client.perform({ kind: 'range', key: prefix, rangeEnd: `${prefix}~` }),
    );
    if (outcome.kind !== 'ok' || outcome.answer.kind !== 'range') throw new Error(outcome.kind);
    return outcome.answer.kvs.map(({ key }) => key);
  });
}

describe('a disk that hangs', () => {
  it('#16 costs the leader its leadership; what it answers meanwhile is kept', async () => {
    const old = await on.leader();
    const rest = on.nodes.filter((node) => node !== old);
    await inject(old, 'sync', HANG);
    const outcome = await perform(on, old, put('hung/during', '1'));
    await putSomewhere(rest, 'hung/later');
    const next = await eventually(async () => {
      const leader = await on.leader();
      expect(leader).not.toBe(old);
      return leader;
    }, 30_000);
    expect(rest).toContain(next);
    const kept = await keysOf(on, next, 'hung/');
    expect(kept).toContain('hung/later');
    if (outcome.kind === 'ok') expect(kept).toContain('hung/during');
    await lift();
    await on.ready();
    // What was not answered may be done now, so there may be more.
    expect(await keysOf(on, old, 'hung/')).toEqual(expect.arrayContaining(kept));
  });

  it('costs a follower nothing but itself', async () => {
    const leader = await on.leader();
    const follower = on.nodes.find((node) => node !== leader)!;
    await inject(follower, 'sync', HANG);
    const keys = ['behind/1', 'behind/2', 'behind/3'];
    for (const key of keys) expect((await perform(on, leader, put(key, key))).kind).toBe('ok');
    expect(await on.leader()).toBe(leader);
    await lift();
    await on.ready();
    expect(await keysOf(on, follower, 'behind/')).toEqual(keys);
  });

  it('#6 keeps a single node from answering what it has not synced', async () => {
    const alone = await startCluster({ nodes: 1 });
    try {
      const node = alone.nodes[0]!;
      expect((await perform(alone, node, put('a1', '1'))).kind).toBe('ok');
      await inject(node, 'sync', HANG);
      expect((await perform(alone, node, put('a2', '2'))).kind).toBe('unknown');
      await lift();
      await alone.ready();
      expect((await perform(alone, node, put('a3', '3'))).kind).toBe('ok');
      expect(await keysOf(alone, node, 'a')).toEqual(expect.arrayContaining(['a1', 'a3']));
    } finally {
      await lift();
      await alone.stop();
    }
  });
});

describe('a disk that fails', () => {
  const errors = [
    ['sync', 'EIO', 'EIO'],
    ['write', 'ENOSPC', 'ENOSPC: no space left on device, write'],
  ] as const;

  it.each(errors)(
    '#24 %s %s: the leader stops, does not try again, and loses nothing',
    async (calls, error, why) => {
      const prefix = `${calls}/`;
      const leader = await on.leader();
      const rest = on.nodes.filter((node) => node !== leader);
      expect((await perform(on, leader, put(`${prefix}1`, '1'))).kind).toBe('ok');
      const exited = leader.process.exited();
      await inject(leader, calls, { kind: 'error', error, once: calls === 'sync' });
      // What it takes now is not in doubt: it is either never answered or kept by the others.
      const outcome = await perform(on, leader, put(`${prefix}2`, '2'));
      expect(await exited).not.toBe(0);
      if (isPawl) expect(leader.process.log()).toContain(`stopped for good: ${why}`);
      await putSomewhere(rest, `${prefix}3`);
      const kept = await keysOf(on, rest[0]!, prefix);
      expect(kept).toEqual(expect.arrayContaining([`${prefix}1`, `${prefix}3`]));
      if (outcome.kind === 'ok') expect(kept).toContain(`${prefix}2`);
      await lift();
      await leader.process.start();
      await on.ready();
      expect(await keysOf(on, leader, prefix)).toEqual(kept);
    },
  );
});
