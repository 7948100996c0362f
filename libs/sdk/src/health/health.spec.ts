import { address, LATENCY_BUCKETS, latencyBucketOf } from '@pawl/contracts';
import type { Hello, HelloHealth, HelloRun } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { ManualTime, seededRng } from '@pawl/kernel';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { InstallationPin } from '../applier/index.js';
import { RootSession } from '../session/root-session.js';
import type { SessionScope } from '../session/root-session.js';
import { ClientWorld, helloReply, SUBJECTS } from '../testing/client-world.js';
import { ADDRESS, INSTALLATION } from '../testing/make-snapshot.js';
import type { HealthReport, Scope } from '../types.js';
import { HealthCounter } from './health-counter.js';

const head = (version: number, cohort?: string) => ({
  ...{ installation: INSTALLATION, generation: 1, version, hash: 'a'.repeat(64), inputs: [] },
  ...(cohort === undefined ? {} : { cohort }),
});
/** `count` requests of one latency. */
const latency = (latencyMs: number, count = 1): number[] => {
  const bucket = latencyBucketOf(latencyMs);
  return Array.from({ length: bucket + 1 }, (_, index) => (index === bucket ? count : 0));
};

describe('what a service reports', () => {
  let time: ManualTime;
  let health: HealthCounter;

  beforeEach(() => {
    time = new ManualTime();
    health = new HealthCounter(time);
    health.applied(head(1));
  });

  it('is summed up, one request unless it says otherwise', () => {
    expect(health.said()).toEqual([]);
    health.report();
    health.report({ latencyMs: 3 });
    health.report({ errors: 1, latencyMs: 3 });
    health.report({ requests: 10, errors: 2, latencyMs: 3 });
    health.report({ requests: 0, errors: 1 });
    const counts = { requests: 13, errors: 4, latency: latency(3, 12) };
    expect(health.said()).toEqual([{ span: 1, generation: 1, version: 1, ...counts }]);
  });

  it('is passed over as a whole where it is odd, and never throws', () => {
    const odd: unknown[] = [NaN, -1, 0.5, Infinity, 2 ** 60, '1', null, {}, 1n, Symbol('odd')];
    for (const value of odd) {
      health.report({ requests: value } as HealthReport);
      health.report({ errors: value } as HealthReport);
      if (value !== 0.5 && value !== 2 ** 60) health.report({ latencyMs: value } as HealthReport);
    }
    health.report(null as unknown as HealthReport);
    expect(health.said()).toEqual([]);
  });

  it('is not counted beyond what a number holds', () => {
    health.report({ requests: Number.MAX_SAFE_INTEGER, latencyMs: 1 });
    health.report({ latencyMs: 1 });
    expect(health.said()[0]).toMatchObject({ requests: Number.MAX_SAFE_INTEGER });
    expect(health.said()[0]?.latency).toEqual(latency(1, Number.MAX_SAFE_INTEGER));
  });

  it('is timed, and a failure is an error that the caller sees', async () => {
    const timed = health.time(async () => {
      time.advance(40);
      return 'done';
    });
    await expect(timed).resolves.toBe('done');
    await expect(health.time(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    const thrown = health.time(() => {
      throw new Error('at once');
    });
    await expect(thrown).rejects.toThrow('at once');
    const [said] = health.said();
    expect(said).toMatchObject({ requests: 3, errors: 2 });
    expect(said?.latency[latencyBucketOf(40)]).toBe(1);
    expect(said?.latency[0]).toBe(2);
  });

  it('is counted anew for each snapshot and cohort, what is timed for that at its beginning', async () => {
    let end = (): void => undefined;
    const slow = health.time(() => new Promise<void>((resolve) => (end = resolve)));
    health.report();
    health.applied(head(2, 'r1'));
    health.report({ errors: 1 });
    end();
    await slow;
    expect(health.said()).toMatchObject([
      { span: 1, version: 1, requests: 2, errors: 0 },
      { span: 2, version: 2, cohort: 'r1', requests: 1, errors: 1 },
    ]);
  });

  it('is kept of a few former snapshots, those that nobody reported under left out', () => {
    for (const version of [2, 3, 4, 5, 6]) {
      if (version !== 4) health.report();
      health.applied(head(version));
    }
    expect(health.said().map(({ span }) => span)).toEqual([4, 5]);
    health.report();
    expect(health.said().map(({ span }) => span)).toEqual([4, 5, 6]);
    health.told(5);
    expect(health.said().map(({ span }) => span)).toEqual([5, 6]);
  });
});

describe('the health of a scope', () => {
  let world: ClientWorld;
  const hellos = (): HelloHealth[][] =>
    world.link.requested.map(({ message }) => [...((message as Hello).runs[0]?.health ?? [])]);

  beforeEach(() => {
    world = new ClientWorld();
    world.link.become('up');
    world.put({ version: 1 });
  });

  it('travels with heartbeats, and what ran before until one was answered', async () => {
    world.link.respond = () => helloReply([]);
    const scope = await world.client().open(ADDRESS);
    await world.after(30);
    expect(hellos()).toEqual([[]]);
    scope.health.report({ latencyMs: 3 });
    world.push({ version: 2 });
    await world.turns();
    expect(scope.version).toBe(2);
    scope.health.report({ errors: 1 });
    world.link.respond = () => {
      throw new Error('no responders');
    };
    await world.after(5_600);
    const former = { span: 1, generation: 1, version: 1, requests: 1, errors: 0 };
    const present = { span: 2, generation: 1, version: 2, requests: 1, errors: 1, latency: [] };
    const both = [{ ...former, latency: latency(3) }, present];
    expect(hellos()[1]).toEqual(both);
    world.link.respond = () => helloReply([]);
    await world.after(1_000);
    expect(hellos().length).toBeGreaterThan(2);
    expect(hellos().at(-1)).toEqual(both);
    await world.after(5_600);
    expect(hellos().at(-1)).toEqual([present]);
  });

  it('keeps what was reported while the heartbeat that told of the rest was under way', async () => {
    let scope: Scope | null = null;
    world.link.respond = () => {
      scope?.health.report();
      if (scope?.version === 1) world.push({ version: 2 });
      return helloReply([]);
    };
    scope = await world.client().open(ADDRESS);
    scope.health.report();
    await world.after(30);
    expect(hellos()).toMatchObject([[{ span: 1, requests: 1 }]]);
    expect(scope.version).toBe(2);
    await world.after(5_600);
    expect(hellos().at(-1)).toMatchObject([{ span: 1, requests: 2 }]);
    await world.after(5_600);
    expect(hellos().at(-1)).toMatchObject([{ span: 2, requests: 1 }]);
  });

  it('is told with the goodbye', async () => {
    world.link.respond = () => helloReply([]);
    const client = world.client();
    const scope = await client.open(ADDRESS);
    scope.health.report();
    await client.close();
    const goodbye = world.link.published.at(-1)?.message as Hello;
    expect(goodbye).toMatchObject({ leaving: true, runs: [{ health: [{ requests: 1 }] }] });
  });
});

describe('health that a heartbeat has no room for', () => {
  it('is kept to be told, while what was told is let go', async () => {
    const { link, time } = new ClientWorld();
    const session = new RootSession({
      ...{ root: 'acme', workload: 'checkout', subjects: SUBJECTS },
      identity: { consumerId: 'c1', incarnation: 'i1', labels: {}, build: undefined },
      installation: new InstallationPin('main'),
      capabilities: {
        ...{ clock: time, foreground: time, background: time, rng: seededRng(1), sha256, link },
        cache: Promise.resolve(undefined),
      },
      ...{ staleAfterMs: 30_000, ackWindowMs: 100 },
    });
    const told = new Set<string>();
    const counts = Array.from({ length: LATENCY_BUCKETS }, () => 10 ** 12);
    for (let at = 0; at < 1_000; at += 1) {
      const where = address(`acme:n${at}`);
      const handle = { health: { span: 1, told: () => told.add(where.text) } };
      const one = { ...{ span: 1, generation: 1, version: 1 }, requests: 1, errors: 0 };
      const run = { address: where.text, generation: 1, version: 1 };
      const runs = (): HelloRun => ({ ...run, health: [{ ...one, latency: counts }] });
      const runner = { runs, leased: () => undefined };
      session.add(where, { runner, handle } as unknown as SessionScope);
    }
    link.state = 'up';
    link.respond = () => helloReply([]);
    time.advance(20);
    await vi.waitFor(() => expect(told.size).toBeGreaterThan(0));
    const { runs } = link.requested[0]?.message as Hello;
    const spoken = runs.filter(({ health }) => health?.length === 1);
    expect(spoken.length).toBeLessThan(1_000);
    expect([...told]).toEqual(spoken.map((run) => run.address));
    session.close();
  });
});
