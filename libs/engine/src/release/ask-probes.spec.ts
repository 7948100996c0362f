import { address } from '@pawl/contracts';
import type { ExternalGate, Gate } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeFleet } from '../testing/fake-fleet.js';
import { gatedWorld } from '../testing/gated-world.fixture.js';
import type { GatedWorld } from '../testing/gated-world.fixture.js';
import { ProbeAsker } from './ask-probes.js';
import type { ProbeAnswer, ProbedRelease } from './gate-probes.port.js';

const AT = 'acme/app';
const HOUR_MS = 3_600_000;
const GATE: Gate = {
  ...{ kind: 'webhook', name: 'load', url: 'https://checks.example/go' },
  ...{ intervalMs: 10_000, timeoutMs: 4_000, onFailure: 'abort' },
};
const ABOUT: ProbedRelease = {
  ...{ address: address(AT).text, releaseId: 'r', version: 2, stableVersion: 1 },
  ...{ stage: 0, stages: 3, candidates: 1, workloads: ['checkout'] },
};
const PASS: ProbeAnswer = { outcome: 'pass', why: 'all is well', value: 3 };
const FAIL: ProbeAnswer = { outcome: 'fail', why: 'queue is full', value: 90 };

let gated: GatedWorld;
let world: EngineWorld;
let fleet: FakeFleet;
beforeEach(async () => {
  gated = await gatedWorld(AT);
  ({ world, fleet } = gated);
  await fleet.add(AT, 'checkout', 4);
  await fleet.pass(1_000);
});

const answers = (answer: ProbeAnswer): void => {
  world.probes.answer = () => Promise.resolve(answer);
};

describe('a gate that is answered elsewhere', () => {
  it('cannot be promoted with where nobody can be asked, and what to set is told', async () => {
    const strategy = { preset: 'canary', gates: [GATE] } as const;
    expect(await world.begin(AT, strategy)).toMatchObject({
      problem: {
        code: 'malformed-request',
        detail: 'the gate webhook load: set who is to be asked',
      },
    });
    expect(await gated.stage()).toBe('idle');
  });

  it('cannot be queued with, either', async () => {
    await gated.begin([]);
    await world.over(AT, { a: 3 });
    const strategy = { preset: 'canary', gates: [GATE] };
    const queue = { conflict: 'queue', targetVersion: 3 };
    expect(await gated.act('promote', { ...queue, strategy })).toBe('malformed-request');
    expect((await world.releaseOf(AT)).queued).toBeUndefined();
    expect(await gated.act('promote', queue)).toBe('ok');
  });

  it('is asked at its interval about the release, and each stage anew', async () => {
    answers(PASS);
    await gated.begin([GATE], 25_000);
    await fleet.pass(24_000);
    expect(world.probes.asked).toHaveLength(3);
    expect(world.probes.asked[0]?.about).toMatchObject({
      ...{ address: AT, version: 2, stableVersion: 1, stage: 0, stages: 3 },
      ...{ workloads: ['checkout'], candidates: 1 },
    });
    expect(await gated.gates()).toMatchObject([
      { kind: 'webhook', name: 'load', outcome: 'pass', why: 'all is well', value: 3 },
    ]);
    await fleet.pass(5_000);
    expect(await gated.stage()).toBe(1);
    expect(world.probes.asked.at(-1)?.about.stage).toBe(1);
  });

  it('is asked no longer once the release has ended, also where another begins meanwhile', async () => {
    world.probes.answer = () => new Promise(() => undefined);
    await gated.begin([GATE], HOUR_MS);
    await fleet.pass(1_000);
    expect(world.probes.asked.map(({ signal }) => signal.aborted)).toEqual([false]);
    await world.put('acme', { b: 1 });
    const [silent] = await fleet.add('acme/shop', 'shop', 1);
    silent!.vote = () => null;
    const above = { strategy: 'canary', preempt: [AT] };
    expect(await world.release('acme', { action: 'promote', ...above })).toMatchObject({
      ok: true,
    });
    await fleet.pass(2_000);
    expect(world.probes.asked[0]?.signal.aborted).toBe(true);
  });

  it('stops the release with what was answered', async () => {
    answers(PASS);
    await gated.begin([GATE], HOUR_MS);
    await fleet.pass(5_000);
    answers(FAIL);
    await fleet.pass(10_000);
    expect(await gated.stage()).toBe('idle');
    expect(await gated.last()).toBe('pawl abort: webhook load: queue is full');
  });

  it('is asked once more when the bake is over, however long its interval is', async () => {
    answers(PASS);
    await gated.begin([{ ...GATE, intervalMs: HOUR_MS }], 20_000);
    await fleet.pass(15_000);
    expect(world.probes.asked).toHaveLength(1);
    let reply = (_: ProbeAnswer): void => undefined;
    world.probes.answer = () => new Promise((resolve) => (reply = resolve));
    await fleet.pass(8_000);
    expect([await gated.stage(), world.probes.asked.length]).toEqual([0, 2]);
    expect((await gated.shown())?.reason).toBe('load is judged once more before the stage ends');
    reply(FAIL);
    await fleet.pass(1_000);
    expect(await gated.last()).toBe('pawl abort: webhook load: queue is full');
  });

  it('passes nothing before it was answered, however long that takes', async () => {
    let reply = (_: ProbeAnswer): void => undefined;
    world.probes.answer = () => new Promise((resolve) => (reply = resolve));
    await gated.begin([{ ...GATE, timeoutMs: 60_000 }], 0);
    await fleet.pass(40_000);
    expect(await gated.stage()).toBe(0);
    expect(world.probes.asked).toHaveLength(1);
    expect((await gated.shown())?.reason).toBe('webhook load: it is being judged');
    reply(PASS);
    await fleet.pass(1_000);
    expect(await gated.stage()).toBe(1);
  });

  it('knows nothing when no answer comes in time, or a failure', async () => {
    world.probes.answer = () => new Promise(() => undefined);
    await gated.begin([GATE], 0);
    await fleet.pass(7_000);
    expect(await gated.gates()).toMatchObject([
      { outcome: 'inconclusive', why: 'no answer within 4000 ms' },
    ]);
    expect(world.probes.asked[0]?.signal.aborted).toBe(true);
    world.probes.answer = () => Promise.reject(new Error('connection refused'));
    await fleet.pass(10_000);
    expect(await gated.gates()).toMatchObject([
      { outcome: 'inconclusive', why: 'connection refused' },
    ]);
    expect(await gated.stage()).toBe(0);
  });

  it.each(['pause', 'advance', 'abort'])('is asked no more after: %s', async (action) => {
    const replies: ((answer: ProbeAnswer) => void)[] = [];
    world.probes.answer = () => new Promise((resolve) => void replies.push(resolve));
    await gated.begin([{ ...GATE, timeoutMs: 60_000 }], HOUR_MS);
    await fleet.pass(2_000);
    await gated.act(action);
    await fleet.pass(2_000);
    expect(world.probes.asked[0]?.signal.aborted).toBe(true);
    const before = await gated.stage();
    replies[0]?.(FAIL);
    await fleet.pass(2_000);
    expect(await gated.stage()).toBe(before);
  });

  it('is asked again by a new owner, which takes nothing over', async () => {
    answers(PASS);
    await gated.begin([{ ...GATE, failureLimit: 2 }], 15_000);
    await fleet.pass(12_000);
    answers(FAIL);
    await world.restart();
    await fleet.hello();
    await fleet.pass(8_000);
    expect(await gated.stage()).toBe(0);
    await fleet.pass(10_000);
    expect(await gated.stage()).toBe('idle');
  });

  it('stops a release at once that somebody changed meanwhile', async () => {
    answers(PASS);
    await gated.begin([GATE, { kind: 'approval' }], HOUR_MS);
    await fleet.pass(5_000);
    answers(FAIL);
    let goOn = (): void => undefined;
    world.truth.beforeCommit = () => new Promise((resolve) => (goOn = resolve));
    const approved = gated.act('approve');
    await fleet.pass(8_000);
    world.truth.beforeCommit = () => Promise.resolve();
    goOn();
    expect(await approved).toBe('ok');
    expect(await gated.stage()).toBe(0);
    await fleet.pass(2_000);
    expect(await gated.stage()).toBe('idle');
  });

  it('leaves no deadline behind when it is stopped', () => {
    const pending = new Set<object>();
    const after = () => {
      const timer = { cancel: () => void pending.delete(timer) };
      pending.add(timer);
      return timer;
    };
    const gateProbes = { probe: () => new Promise<ProbeAnswer>(() => undefined) };
    const asker = new ProbeAsker({ gateProbes, timer: { after } });
    asker.ask(GATE as ExternalGate, ABOUT, () => undefined);
    expect(pending.size).toBe(1);
    asker.stop();
    expect(pending.size).toBe(0);
  });

  it('ends its questions when the engine stops', async () => {
    world.probes.answer = () => new Promise(() => undefined);
    await gated.begin([GATE], HOUR_MS);
    await fleet.pass(2_000);
    await world.engine.stop();
    expect(world.probes.asked[0]?.signal.aborted).toBe(true);
  });
});
