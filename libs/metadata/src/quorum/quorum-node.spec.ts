import { describe, expect, it } from 'vitest';
import { MetadataUnavailableError } from '../index.js';
import { NO_LEASE, prefixRange } from '../state/index.js';
import type { Operation } from '../state/index.js';
import { SimulatedQuorum } from '../testing/simulated-quorum.js';
import type { SimulatedQuorumOptions } from '../testing/simulated-quorum.js';
import { bytesToText, textToBytes } from '../text.js';
import type { QuorumNode } from './quorum-node.js';

const IDS = ['a', 'b', 'c'];
const everything = prefixRange(textToBytes(''));
const put = (key: string, value = '', lease = NO_LEASE): Operation => ({
  kind: 'put',
  key: textToBytes(key),
  value: textToBytes(value),
  lease,
});
const write = (node: QuorumNode, ...success: Operation[]) =>
  node.txn({ compare: [], success, failure: [] }, { origin: 'user' });

/* A failure is replayed by the seed that the name of its test shows. */
let seed = 100;
async function quorum(options: Partial<SimulatedQuorumOptions> = {}): Promise<SimulatedQuorum> {
  const world = new SimulatedQuorum({ seed: (seed += 1), founders: IDS, ...options });
  await world.start();
  await world.leader();
  return world;
}

async function textOf(node: QuorumNode, options = {}): Promise<string[]> {
  const content = await node.range(everything, options);
  if (!content.ok) throw new Error(content.refusal);
  return content.kvs.map(({ key, value }) => `${bytesToText(key)}=${bytesToText(value)}`);
}

async function others(world: SimulatedQuorum): Promise<[string, string]> {
  const { id } = await world.leader();
  return [...world.processes.keys()].filter((other) => other !== id) as [string, string];
}

describe('writes and reads', () => {
  it('are done through any node, and each then reads its own', async () => {
    const world = await quorum();
    for (const [at, id] of IDS.entries()) {
      expect(await world.wait(write(world.node(id), put(id, '1')))).toMatchObject({
        ok: true,
        revision: at + 2,
      });
      expect(await world.wait(textOf(world.node(id), { serializable: true }))).toHaveLength(at + 1);
    }
    for (const id of IDS) {
      expect(await world.wait(textOf(world.node(id)))).toEqual(['a=1', 'b=1', 'c=1']);
    }
  });

  it('make the first write of a user revision 2, whatever the nodes tell each other', async () => {
    const world = await quorum();
    await world.time.advance(5000);
    expect(await world.wait(write(world.node('b'), put('k')))).toMatchObject({ revision: 2 });
  });

  it('are done once each when the leader is lost while they are under way', async () => {
    const world = await quorum();
    const leader = await world.leader();
    const [asked] = await others(world);
    await world.wait(write(world.node(asked), put('warm')));
    const calls = Array.from({ length: 50 }, (_, at) =>
      world.node(asked).txn({
        compare: [{ key: textToBytes(`k${at}`), target: 'create', operator: '=', value: 0 }],
        success: [put(`k${at}`)],
        failure: [],
      }),
    );
    await world.time.advance(3);
    world.crash(leader.id);
    const results = await world.wait(Promise.all(calls));
    for (const result of results) expect(result).toMatchObject({ ok: true, succeeded: true });
    const revisions = new Set(results.map(({ revision }) => revision));
    expect(revisions.size).toBe(50);
    expect(world.node(asked).head().revision).toBe(52);
  });

  it('survive the loss of any one node, and a restart of all', async () => {
    const world = await quorum({ log: { snapshotEntries: 20 } });
    for (const id of IDS) {
      await world.wait(write(world.node(IDS.find((other) => other !== id)!), put(id)));
      world.crash(id);
      await world.leader();
      const [alive] = [...world.processes.keys()] as [string];
      await world.wait(write(world.node(alive), put(`without-${id}`)));
      await world.start([id]);
    }
    for (const id of IDS) world.crash(id);
    await world.start();
    expect(await world.wait(textOf(world.node('a')))).toHaveLength(6);
  });

  it('without a quorum end at their deadline, and say what is known', async () => {
    const world = await quorum();
    const leader = await world.leader();
    await world.wait(write(leader.node, put('k')));
    world.logs.network.isolate(leader.id);
    const calls = Promise.allSettled([write(leader.node, put('k')), textOf(leader.node)]);
    expect(await world.wait(calls)).toMatchObject([
      { reason: { done: 'unknown' } },
      { reason: { done: 'no' } },
    ]);
    await expect(world.wait(write(leader.node, put('k')))).rejects.toMatchObject({ done: 'no' });
    expect(await world.wait(textOf(leader.node, { serializable: true }))).toEqual(['k=']);
    world.logs.network.heal();
    expect(await world.wait(write(leader.node, put('k')))).toMatchObject({ ok: true });
  });

  it('are refused, surely undone, when too many wait', async () => {
    const world = await quorum({ settings: { maxCalls: 10 } });
    const [asked] = await others(world);
    const calls = Array.from({ length: 30 }, () => write(world.node(asked), put('k')));
    const results = await world.wait(Promise.allSettled(calls));
    const refused = results.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(20);
    for (const result of refused) {
      expect(result).toMatchObject({ reason: expect.any(MetadataUnavailableError) as unknown });
      expect(result).toMatchObject({ reason: { done: 'no' } });
    }
    expect(world.node(asked).head().revision).toBe(11);
  });

  it('that are too large, or empty, are refused as such', async () => {
    const world = await quorum({ limits: { valueBytes: 100, requestBytes: 300 } });
    const node = world.node('a');
    expect(await world.wait(write(node, put('k', 'x'.repeat(101))))).toMatchObject({
      refusal: 'too-large',
    });
    const four = ['k', 'l', 'm', 'n'].map((key) => put(key, 'x'.repeat(90)));
    expect(await world.wait(write(node, ...four))).toMatchObject({ refusal: 'too-large' });
    expect(await world.wait(write(node, put('')))).toMatchObject({ refusal: 'empty-key' });
    expect(await world.wait(write(node, put('k', 'x'.repeat(100))))).toMatchObject({ ok: true });
  });

  it('go on after a session was ended for want of use', async () => {
    const sessions = { count: 10, idleEntries: 30, window: 4, answerBytes: 99, totalBytes: 1e6 };
    const world = await quorum({ limits: { sessions } });
    const [one, other] = await others(world);
    await world.wait(write(world.node(one), put('first')));
    for (let at = 0; at < 40; at += 1) await world.wait(write(world.node(other), put('k')));
    const calls = Array.from({ length: 9 }, (_, at) => write(world.node(one), put(`again${at}`)));
    const results = await world.wait(Promise.all(calls));
    for (const result of results) expect(result).toMatchObject({ ok: true });
    expect(world.node(one).head().revision).toBe(51);
  });

  it('that were done behind a snapshot are answered by a retry', async () => {
    const world = await quorum({
      log: { snapshotEntries: 5 },
      settings: { callTimeoutMs: 20_000 },
    });
    const leader = await world.leader();
    const [asked, third] = await others(world);
    await world.wait(write(world.node(asked), put('warm')));
    const call = write(world.node(asked), put('k', 'once'));
    await world.time.advance(1);
    for (const [from, to] of [
      [leader.id, asked],
      [third, asked],
    ] as const) {
      world.logs.network.cut(from, to);
    }
    for (let at = 0; at < 30; at += 1) await world.wait(write(leader.node, put(`fill${at}`)));
    world.logs.network.heal();
    expect(await world.wait(call)).toMatchObject({ ok: true, succeeded: true });
    const found = await world.wait(leader.node.range({ key: textToBytes('k') }));
    expect(found).toMatchObject({ count: 1, kvs: [{ version: 1 }] });
  });
});

/** A lease of users with one key of the same name, `at` a node. */
async function leased(world: SimulatedQuorum, at: string, ttlMs: number): Promise<bigint> {
  const lease = await world.wait(world.node(at).grantLease(ttlMs, NO_LEASE, { origin: 'user' }));
  if (!lease.ok) throw new Error(lease.refusal);
  await world.wait(write(world.node(at), put('leased', '', lease.id)));
  return lease.id;
}

/** How long from now until the key of a lease is gone, looked at on the leader. */
async function lifeOf(world: SimulatedQuorum): Promise<number> {
  const fromMs = world.time.monotonicMs();
  const gone = (): boolean => {
    const leader = world.logs.leader();
    return leader !== null && world.process(leader).host.state.leases.length === 0;
  };
  await world.time.until(gone, 600_000);
  return world.time.monotonicMs() - fromMs;
}

describe('leases', () => {
  it('end soon after their time, and not before, seen from any node', async () => {
    const world = await quorum();
    const [asked] = await others(world);
    const id = await leased(world, asked, 5000);
    await world.time.advance(3000);
    expect(await world.wait(world.node(asked).keepAlive(id))).toEqual({
      ok: true,
      id,
      ttlMs: 5000,
    });
    const renewedMs = world.time.monotonicMs();
    await world.time.advance(2000);
    expect(await world.wait(world.node(asked).leaseTime(id))).toMatchObject({ keys: [] });
    const time = await world.wait(world.node(asked).leaseTime(id, { keys: true }));
    expect(time).toMatchObject({ id, grantedMs: 5000 });
    expect(time?.remainingMs).toBeGreaterThan(2900);
    expect(time?.remainingMs).toBeLessThanOrEqual(3010);
    expect(time?.keys.map(bytesToText)).toEqual(['leased']);
    await lifeOf(world);
    const lifeMs = world.time.monotonicMs() - renewedMs;
    expect(lifeMs).toBeGreaterThanOrEqual(4990);
    expect(lifeMs).toBeLessThan(5050);
    expect(await world.wait(world.node(asked).keepAlive(id))).toMatchObject({
      refusal: 'lease-not-found',
    });
    expect(await world.wait(world.node(asked).leaseTime(id))).toBeNull();
    expect(await world.wait(world.node(asked).leases())).toEqual([]);
  });

  it('have ids of their own kind', async () => {
    const world = await quorum();
    const own = await world.wait(world.node('a').grantLease(5000));
    const user = await world.wait(world.node('b').grantLease(5000, 0n, { origin: 'user' }));
    expect(own.ok && own.id < 0n).toBe(true);
    expect(user.ok && user.id > 0n).toBe(true);
  });

  it('count on at the next leader, full if they were just renewed', async () => {
    const world = await quorum();
    const id = await leased(world, 'a', 10_000);
    for (let round = 0; round < 5; round += 1) {
      await world.time.advance(3000);
      const leader = await world.leader();
      const [asked] = await others(world);
      expect(await world.wait(world.node(asked).keepAlive(id))).toMatchObject({ ok: true });
      const renewedMs = world.time.monotonicMs();
      world.crash(leader.id);
      const next = await world.leader();
      const time = await world.wait(next.node.leaseTime(id));
      expect(time?.remainingMs).toBeGreaterThanOrEqual(
        10_000 - (world.time.monotonicMs() - renewedMs),
      );
      await world.start([leader.id]);
    }
  });

  /* etcd issues 9395, 9888, 13294 and 17132; field bug 12. */
  it('field bug 12: live no longer than their time and what each of six leaders adds', async () => {
    const world = await quorum();
    await leased(world, 'a', 20_000);
    const fromMs = world.time.monotonicMs();
    const changes = 6;
    for (let change = 0; change < changes; change += 1) {
      await world.time.advance(2500);
      const { id } = await world.leader();
      world.crash(id);
      await world.leader();
      await world.start([id]);
    }
    await lifeOf(world);
    const lifeMs = world.time.monotonicMs() - fromMs;
    expect(lifeMs).toBeGreaterThanOrEqual(20_000);
    /* Without a leader for an election, and what the one before had not recorded yet. */
    expect(lifeMs).toBeLessThan(20_000 + changes * (1200 + 1300));
  });

  it('are given their full time by the next leader, though less was recorded before', async () => {
    const world = await quorum();
    const id = await leased(world, 'a', 10_000);
    await world.time.advance(8000);
    for (const { host } of world.processes.values()) {
      expect(host.state.lease(id)?.remainingMs).toBeLessThan(6000);
    }
    const leader = await world.leader();
    const [asked] = await others(world);
    expect(await world.wait(world.node(asked).keepAlive(id))).toMatchObject({ ok: true });
    const renewedMs = world.time.monotonicMs();
    world.crash(leader.id);
    await lifeOf(world);
    expect(world.time.monotonicMs() - renewedMs).toBeGreaterThanOrEqual(10_000);
  });

  it('of our own end soon after the loss of a node that led the quorum too, and live nodes keep theirs', async () => {
    const world = await quorum();
    const leader = await world.leader();
    const [alive] = await others(world);
    const grant = async (id: string): Promise<bigint> => {
      const granted = await world.wait(world.node(id).grantLease(10_000));
      if (!granted.ok) throw new Error(granted.refusal);
      return granted.id;
    };
    const [lost, kept] = [await grant(leader.id), await grant(alive)];
    world.crash(leader.id);
    const lostMs = world.time.monotonicMs();
    const next = await world.leader();
    await world.time.advance(5000);
    expect(await world.wait(world.node(alive).keepAlive(kept))).toMatchObject({ ok: true });
    while (next.host.state.lease(lost) !== null) await world.time.advance(1);
    const lifeMs = world.time.monotonicMs() - lostMs;
    expect(lifeMs).toBeGreaterThan(7500);
    expect(lifeMs).toBeLessThan(10_000);
    expect(next.host.state.lease(kept)).not.toBeNull();
  });

  /* etcd issues 12528 and 15247; field bug 11. */
  it('field bug 11: are not ended by a leader that stood still and was replaced', async () => {
    const world = await quorum();
    const id = await leased(world, 'a', 5000);
    const former = await world.leader();
    former.time.pause();
    const next = await world.leader(former.id);
    for (let left = 4; left > 0; left -= 1) {
      await world.time.advance(2000);
      expect(await world.wait(next.node.keepAlive(id))).toMatchObject({ ok: true });
    }
    former.time.resume();
    await world.time.advance(3000);
    expect(await world.wait(textOf(next.node))).toEqual(['leased=']);
    expect(await world.wait(former.node.keepAlive(id))).toMatchObject({ ok: true });
  });

  it('are renewed by a leader alone that has just heard its quorum', async () => {
    const world = await quorum();
    const id = await leased(world, 'a', 5000);
    const former = await world.leader();
    world.logs.network.isolate(former.id);
    await expect(world.wait(former.node.keepAlive(id))).rejects.toMatchObject({ done: 'unknown' });
    const next = await world.leader(former.id);
    await lifeOf(world);
    expect(await world.wait(next.node.keepAlive(id))).toMatchObject({ refusal: 'lease-not-found' });
  });

  /* etcd pull request 17642; field bug 13. */
  it('field bug 13: tell what is left during a change of the leader as well', async () => {
    const world = await quorum();
    const id = await leased(world, 'a', 60_000);
    for (let round = 0; round < 4; round += 1) {
      const leader = await world.leader();
      const [to, asked] = await others(world);
      const number = (await world.wait(leader.node.members())).find((m) => m.id === to)!.number;
      const asking = Promise.all(
        Array.from({ length: 20 }, async (_, at) => {
          await new Promise<void>((resolve) => world.time.after(at * 5, resolve));
          return world.node(asked).leaseTime(id);
        }),
      );
      expect(await world.wait(leader.node.transferLeadership(number))).toBe('done');
      for (const time of await world.wait(asking)) {
        expect(time?.grantedMs).toBe(60_000);
        expect(time?.remainingMs).toBeGreaterThan(50_000);
        expect(time?.remainingMs).toBeLessThanOrEqual(60_000);
      }
    }
  });

  it('that are renewed in time are never written of', async () => {
    const world = await quorum();
    const id = await leased(world, 'a', 6000);
    await world.time.advance(15_000);
    const lease = await world.wait(world.node('a').grantLease(6000, NO_LEASE, { origin: 'user' }));
    if (!lease.ok || id === lease.id) throw new Error('granted');
    const { host } = await world.leader();
    const before = host.log.status().lastIndex;
    for (let left = 10; left > 0; left -= 1) {
      await world.time.advance(2000);
      await world.wait(world.node('b').keepAlive(lease.id));
    }
    expect(host.log.status().lastIndex).toBe(before);
  });
});

describe('watches', () => {
  it('tell on every node of what is written through any, across a change of the leader', async () => {
    const world = await quorum();
    const [asked] = await others(world);
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { revision, events } of world.node(asked).watch(everything)) {
        seen.push(`${revision} ${bytesToText(events[0]!.kv.key)}`);
        if (seen.length === 20) return;
      }
    })();
    for (let at = 0; at < 20; at += 1) {
      if (at === 10) world.crash((await world.leader()).id);
      const { node } = await world.leader();
      await world.wait(write(node, put(`k${at}`)));
    }
    await world.wait(reading);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, at) => `${at + 2} k${at}`));
  });

  it('of our own and of users have a bound each', async () => {
    const world = await quorum({ settings: { maxOwnWatches: 1, maxUserWatches: 1 } });
    const node = world.node('a');
    const sink = { events: () => true, compacted: () => undefined, failed: () => undefined };
    const user = node.observe(everything, sink);
    expect(() => node.observe(everything, sink)).toThrow(/more than 1 watches/);
    node.watch(everything);
    expect(() => node.watch(everything)).toThrow(/more than 1 watches/);
    user.close();
    node.observe(everything, sink);
  });

  it('end when the node is closed', async () => {
    const world = await quorum();
    const { node } = world.process('a');
    const next = node.watch(everything)[Symbol.asyncIterator]().next();
    const ended = expect(next).rejects.toBeInstanceOf(MetadataUnavailableError);
    await world.stop('a');
    await ended;
    await expect(textOf(node, { serializable: true })).rejects.toMatchObject({ done: 'no' });
  });
});
