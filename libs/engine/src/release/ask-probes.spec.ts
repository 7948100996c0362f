import type { Gate } from '@pawl/contracts';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EngineWorld } from '../testing/engine-world.js';
import type { FakeFleet } from '../testing/fake-fleet.js';
import { gatedWorld } from '../testing/gated-world.fixture.js';
import type { GatedWorld } from '../testing/gated-world.fixture.js';
import type { ProbeAnswer } from './gate-probes.port.js';

const AT = 'acme/app';
const HOUR_MS = 3_600_000;
const GATE: Gate = {
  ...{ kind: 'webhook', name: 'load', url: 'https://checks.example/go' },
  ...{ intervalMs: 10_000, timeoutMs: 4_000, onFailure: 'abort' },
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

  it('stops the release with what was answered', async () => {
    answers(PASS);
    await gated.begin([GATE], HOUR_MS);
    await fleet.pass(5_000);
    answers(FAIL);
    await fleet.pass(10_000);
    expect(await gated.stage()).toBe('idle');
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

  it('ends its questions when the engine stops', async () => {
    world.probes.answer = () => new Promise(() => undefined);
    await gated.begin([GATE], HOUR_MS);
    await fleet.pass(2_000);
    await world.engine.stop();
    expect(world.probes.asked[0]?.signal.aborted).toBe(true);
  });
});
