import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkLeases } from '@pawl/metadata/testing/history';
import { seededRng } from '@pawl/kernel';
import { eventually } from '../support/eventually.js';
import { LeaseHolder } from './client/lease-holder.js';
import type { Cluster, Node } from './cluster/cluster.js';
import { FAULTS } from './faults/catalogue.js';
import { noFaults } from './faults/fault.js';
import { SyscallInjection } from './faults/syscall-injection.js';
import { Observer } from './history/observer.js';
import { isPawl, startCluster } from './quorum-under-test.js';

/** The shortest that is granted. */
const SHORT_SECONDS = 2;
const SHORT_MS = SHORT_SECONDS * 1000;
/** Where a renewal must be in time, also on a machine that is busy. */
const TTL_SECONDS = 3;
const TTL_MS = TTL_SECONDS * 1000;
/** An end may come late while there is no leader; how late is measured elsewhere. */
const LATENESS_MS = 15_000;

let cluster: Cluster;
let observer: Observer;

beforeAll(async () => {
  cluster = await startCluster();
  observer = new Observer(cluster);
});

afterAll(async () => {
  await observer?.stop();
  await cluster?.stop();
});

const grant = (key: string, ttlSeconds = TTL_SECONDS): Promise<LeaseHolder> =>
  LeaseHolder.grant({ cluster, observer, key, ttlSeconds });

/** Hands leadership to another node, and waits until it leads. */
async function changeLeader(): Promise<void> {
  const old = await cluster.leader();
  const next = cluster.running.find((node) => node !== old)!;
  await cluster.asks(old, (client) => client.moveLeader(next.memberId));
  await eventually(async () => expect(await cluster.leader()).not.toBe(old));
}

const read = (node: Node, key: string) =>
  cluster.asks(node, (client) => client.perform({ kind: 'range', key }));

describe('leases', () => {
  it('L1, L2: never end early nor live on, whatever happens to the nodes', async () => {
    const strikes = ['kill the leader', 'pause the leader', 'leader cut off', 'transfer'];
    const names = ['a', 'b', 'c', 'd'].map((name) => `held/${name}`);
    const holders = await Promise.all(names.map((name) => grant(name, SHORT_SECONDS)));
    const over = new AbortController();
    const keeping = holders.map((holder, at) =>
      // Half of them are left alone.
      at % 2 === 0 ? holder.keep(SHORT_MS / 4, over.signal) : Promise.resolve(),
    );
    const context = {
      cluster,
      rng: seededRng(1),
      tally: noFaults(),
      signal: over.signal,
      wait: (ms: number) => delay(ms),
    };
    for (const name of strikes) {
      await FAULTS.find((fault) => fault.name === name)!.strike(context);
    }
    await cluster.heal();
    await cluster.ready();
    over.abort();
    await Promise.all(keeping);
    for (const holder of holders) {
      expect(await holder.gone(SHORT_MS + LATENESS_MS)).toBe(true);
      holder.close();
    }
    const lives = holders.map((holder) => holder.life());
    expect(checkLeases(lives, { latenessMs: LATENESS_MS })).toEqual([]);
    const renewed = lives.flatMap(({ renewals }) =>
      renewals.filter((one) => one.outcome === 'renewed'),
    );
    expect(renewed.length).toBeGreaterThan(holders.length);
  });

  // 3.4 gives a lease its full time again with each leader (etcd#9395).
  it.runIf(isPawl)('#12 are not extended by each of four changes of the leader', async () => {
    const holder = await grant('orphan');
    for (let changes = 0; changes < 4; changes += 1) {
      await changeLeader();
      await delay(TTL_MS / 2);
    }
    await holder.gone(LATENESS_MS);
    // With a full time from each change on, it would have lived for 3 times its own.
    expect(checkLeases([holder.life()], { latenessMs: TTL_MS })).toEqual([]);
    holder.close();
  });

  it('#11 outlive a leader whose disk hung, and who comes back', async () => {
    const holder = await grant('renewed');
    const old = await cluster.leader();
    const over = new AbortController();
    const keeping = holder.keep(TTL_MS / 5, over.signal);
    const injection = await SyscallInjection.into({
      pid: old.process.pid,
      calls: 'sync',
      injection: { kind: 'delay', ms: 60_000 },
      below: old.process.dataFolder,
    });
    await delay(1.5 * TTL_MS);
    await injection.lift();
    await cluster.ready();
    // Whatever it had wanted to revoke meanwhile is done by now, were it to be done.
    await changeLeader();
    const before = observer.deletedAtMs('renewed');
    over.abort();
    await keeping;
    expect(before).toBeUndefined();
    expect(await holder.gone(TTL_MS + LATENESS_MS)).toBe(true);
    expect(checkLeases([holder.life()], { latenessMs: LATENESS_MS })).toEqual([]);
    holder.close();
  });

  // 3.4 tells nonsense (etcd PR 17642).
  it.runIf(isPawl)('#13 tell their time to live truly while the leader changes', async () => {
    const holder = await grant('asked', 60);
    const answers: number[] = [];
    const over = new AbortController();
    const asking = cluster.nodes.map(async (node) => {
      while (!over.signal.aborted) {
        const reply = await cluster.asks(node, (client) => client.timeToLive(holder.lease));
        if (reply.ok) {
          expect(reply.message.grantedTTL).toBe('60');
          answers.push(Number(reply.message.TTL));
        }
      }
    });
    for (let changes = 0; changes < 3; changes += 1) await changeLeader();
    over.abort();
    await Promise.all(asking);
    expect(answers.length).toBeGreaterThan(3);
    // Rounded to whole seconds; what passed between two changes counts.
    for (const seconds of answers)
      expect(seconds).toSatisfy((left: number) => left > 0 && left <= 60);
    holder.close();
  });

  it('#1 do not let a holder that slept act: the next has a higher token, and its lease is gone', async () => {
    const lock = (lease: string) =>
      ({
        kind: 'txn',
        compare: [{ key: 'lock', target: 'create', operator: '=', value: 0 }],
        success: [{ kind: 'put', key: 'lock', value: lease, lease }],
        failure: [],
      }) as const;
    const first = await grant('first', SHORT_SECONDS);
    const second = await grant('second', 60);
    const [node] = cluster.running;
    const take = (lease: string) => cluster.asks(node!, (client) => client.perform(lock(lease)));
    const token = await take(first.lease);
    expect(token).toMatchObject({ kind: 'ok', answer: { succeeded: true } });
    expect(await take(second.lease)).toMatchObject({ kind: 'ok', answer: { succeeded: false } });
    // The holder sleeps.
    const next = await eventually(async () => {
      const outcome = await take(second.lease);
      if (outcome.kind !== 'ok') throw new Error(outcome.kind);
      expect(outcome.answer).toMatchObject({ succeeded: true });
      return outcome;
    }, SHORT_MS + LATENESS_MS);
    expect(await first.gone(LATENESS_MS)).toBe(true);
    if (token.kind !== 'ok') throw new Error(token.kind);
    expect(next.revision).toBeGreaterThan(token.revision);
    // It wakes up, and still believes that it holds the lock.
    const guarded = await cluster.asks(node!, (client) =>
      client.perform({
        kind: 'txn',
        compare: [{ key: 'lock', target: 'create', operator: '=', value: token.revision }],
        success: [{ kind: 'put', key: 'guarded', value: 'by the first' }],
        failure: [],
      }),
    );
    expect(guarded).toMatchObject({ kind: 'ok', answer: { succeeded: false } });
    const leased = await cluster.asks(node!, (client) =>
      client.perform({ kind: 'put', key: 'late', value: 'by the first', lease: first.lease }),
    );
    expect(leased).toEqual({ kind: 'refused', refusal: 'lease-not-found' });
    expect(await read(node!, 'late')).toMatchObject({ answer: { count: 0 } });
    first.close();
    second.close();
  });
});
