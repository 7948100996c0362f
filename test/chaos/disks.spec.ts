import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import type { Cluster, Node } from './cluster/cluster.js';
import { SyscallInjection, type Injection, type Syscalls } from './faults/syscall-injection.js';
import { startCluster } from './quorum-under-test.js';

const HANG: Injection = { kind: 'delay', ms: 60_000 };

let cluster: Cluster | undefined;
const injections: SyscallInjection[] = [];

afterEach(async () => {
  for (const injection of injections.splice(0)) await injection.lift();
  await cluster?.stop();
  cluster = undefined;
});

async function started(nodes: number, args: readonly string[] = []): Promise<Cluster> {
  cluster = await startCluster({ nodes, args });
  return cluster;
}

async function inject(node: Node, calls: Syscalls, injection: Injection): Promise<void> {
  const { pid, dataFolder } = node.process;
  injections.push(await SyscallInjection.into({ pid, calls, injection, below: dataFolder }));
}

async function lift(): Promise<void> {
  for (const injection of injections.splice(0)) await injection.lift();
}

const put = (key: string, value: string) => ({ kind: 'put', key, value }) as const;

function perform(on: Cluster, node: Node, request: ReturnType<typeof put>) {
  return on.asks(node, (client) => client.perform(request));
}

/** Puts until one is answered; the nodes take turns. */
async function putSomewhere(on: Cluster, nodes: readonly Node[], key: string): Promise<void> {
  let at = 0;
  await eventually(async () => {
    at += 1;
    const outcome = await perform(on, nodes[at % nodes.length]!, put(key, `${key}.${at}`));
    expect(outcome.kind).toBe('ok');
  }, 30_000);
}

async function keysOf(on: Cluster, node: Node, prefix: string): Promise<string[]> {
  return eventually(async () => {
    const outcome = await on.asks(node, (client) =>
      client.perform({ kind: 'range', key: prefix, rangeEnd: `${prefix}~` }),
    );
    if (outcome.kind !== 'ok' || outcome.answer.kind !== 'range') throw new Error(outcome.kind);
    return outcome.answer.kvs.map(({ key }) => key);
  });
}

describe('a disk that hangs', () => {
  it('#16 costs the leader its leadership; its own writes are not answered meanwhile', async () => {
    const on = await started(3);
    const old = await on.leader();
    await inject(old, 'sync', HANG);
    const rest = on.nodes.filter((node) => node !== old);
    await putSomewhere(on, rest, 'after');
    const next = await eventually(async () => {
      const leader = await on.leader();
      expect(leader).not.toBe(old);
      return leader;
    }, 30_000);
    expect(rest).toContain(next);
    await lift();
    await on.ready();
    expect(await keysOf(on, old, 'after')).toEqual(['after']);
  });

  it('costs a follower nothing but itself', async () => {
    const on = await started(3);
    const leader = await on.leader();
    const follower = on.nodes.find((node) => node !== leader)!;
    await inject(follower, 'sync', HANG);
    for (const key of ['a1', 'a2', 'a3']) {
      expect((await perform(on, leader, put(key, key))).kind).toBe('ok');
    }
    expect(await on.leader()).toBe(leader);
    await lift();
    await on.ready();
    expect(await keysOf(on, follower, 'a')).toEqual(['a1', 'a2', 'a3']);
  });

  it('#6 keeps a single node from answering what it has not synced', async () => {
    const on = await started(1);
    const [node] = on.nodes;
    expect((await perform(on, node!, put('a1', '1'))).kind).toBe('ok');
    await inject(node!, 'sync', HANG);
    expect((await perform(on, node!, put('a2', '2'))).kind).toBe('unknown');
    await lift();
    await on.ready();
    expect((await perform(on, node!, put('a3', '3'))).kind).toBe('ok');
    expect(await keysOf(on, node!, 'a')).toEqual(expect.arrayContaining(['a1', 'a3']));
  });
});

describe('a disk that fails', () => {
  const errors = [
    ['sync', 'EIO'],
    ['write', 'ENOSPC'],
  ] as const;

  it.each(errors)(
    '#24 %s %s: the leader stops, does not try again, and loses nothing',
    async (calls, error) => {
      const on = await started(3);
      const leader = await on.leader();
      const rest = on.nodes.filter((node) => node !== leader);
      expect((await perform(on, leader, put('a1', '1'))).kind).toBe('ok');
      const exited = leader.process.exited();
      const injection: Injection = { kind: 'error', error, once: calls === 'sync' };
      await inject(leader, calls, injection);
      // What it takes now is not in doubt: it is either never answered or kept by the others.
      const outcome = await perform(on, leader, put('a2', '2'));
      expect(await exited).not.toBe(0);
      await putSomewhere(on, rest, 'a3');
      const kept = await keysOf(on, rest[0]!, 'a');
      expect(kept).toEqual(expect.arrayContaining(['a1', 'a3']));
      if (outcome.kind === 'ok') expect(kept).toContain('a2');
      await lift();
      await leader.process.start();
      await on.ready();
      expect(await keysOf(on, leader, 'a')).toEqual(kept);
    },
  );
});
