import { address, snapshotHash } from '@pawl/contracts';
import type { EffectiveView, JsonValue, Prepare, Snapshot, Strategy } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { assert } from '@pawl/kernel';
import { expect } from 'vitest';
import { claimedWorld, code } from './engine-world.fixture.js';
import type { EngineWorld } from './engine-world.js';
import { FakeFleet } from './fake-fleet.js';
import type { FakeConsumer } from './fake-fleet.js';

export const HOUR_MS = 3_600_000;

/** By hand: no stage is baked in the time that a test takes, and nobody is asked beforehand. */
export const STAGES: Strategy = {
  stages: [
    { count: 1, bakeMs: HOUR_MS },
    { percent: 50, bakeMs: HOUR_MS },
    { percent: 100, bakeMs: HOUR_MS },
  ],
  gates: [],
  preflight: false,
};

/** A claimed world with a fleet, and what is often done in it with releases in stages. */
export class StagedWorld {
  readonly fleet: FakeFleet;

  constructor(readonly world: EngineWorld) {
    this.fleet = new FakeFleet(world);
  }

  /** Written, and released to all. */
  async promoted(at: string, document: JsonValue): Promise<void> {
    const over = await this.world.over(at, document);
    if (!over.ok) await this.world.put(at, document);
    expect(code(await this.world.promote(at))).toBe('ok');
  }

  /** A release in stages of this document, and its id. */
  async begun(at: string, document: JsonValue, strategy = STAGES): Promise<string> {
    await this.world.over(at, document);
    const outcome = await this.world.begin(at, strategy);
    assert(outcome.ok, 'a release in stages began');
    return outcome.value.body.staged?.id ?? '';
  }

  /** Answers `ok`, or the problem's code. */
  async act(at: string, action: string, more: object = {}): Promise<string> {
    return code(await this.world.release(at, { action, ...more }));
  }

  async readBy(one: FakeConsumer): Promise<EffectiveView> {
    const { workload, consumerId } = one.ref;
    const query = { explain: false, workload, consumerId };
    const outcome = await this.world.use.getEffective(address(one.at), query);
    assert(outcome.ok, 'what a consumer reads is known');
    return outcome.value;
  }

  /** What is published, which recomputes to its hash and has a variant for each cohort it names. */
  async whole(at: string): Promise<Snapshot> {
    const snapshot = await this.world.published(at);
    expect(snapshotHash(snapshot, sha256)).toBe(snapshot.hash);
    expect(Object.keys(snapshot.variants)).toHaveLength(2 ** snapshot.releases.length);
    return snapshot;
  }
}

/** What consumers of the world are asked from now on, who answer as before. */
export function preparesOf({ publisher }: EngineWorld): Prepare[] {
  const { onPrepare } = publisher;
  const asked: Prepare[] = [];
  publisher.onPrepare = (message) => {
    asked.push(message);
    onPrepare(message);
  };
  return asked;
}

export async function stagedWorld(): Promise<StagedWorld> {
  return new StagedWorld(await claimedWorld());
}

/** PostgreSQL has come back with a copy, which its owners see, and an operator accepts. */
export async function acceptCopy(world: EngineWorld, putBack: () => void): Promise<void> {
  await world.settle();
  putBack();
  const { token } = world;
  await world.restart(() => ({ generation: 1, token, commits: 99n }));
  const { generation, shards } = await world.truth.readBehind();
  const seen = { generation, shards: [...shards.keys()] };
  await world.engine.restore.accept({ actor: 'ada', reason: 'the disk was lost', seen });
}
