import type { Gate, GateResult, RolloutRelease, StrategyStage } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import { claimedWorld, code } from './engine-world.fixture.js';
import type { EngineWorld } from './engine-world.js';
import { FakeFleet } from './fake-fleet.js';

/** One canary, then half of them, then all. */
const STAGES: readonly StrategyStage[] = [{ count: 1 }, { percent: 50 }, { percent: 100 }];

/** A claimed world with a fleet and an address whose second version is to be released in stages. */
export class GatedWorld {
  readonly fleet: FakeFleet;

  constructor(
    readonly world: EngineWorld,
    readonly at: string,
    private readonly stages: readonly StrategyStage[],
  ) {
    this.fleet = new FakeFleet(world);
  }

  /** Begins the release; `first` is the first stage in place of that of the world. */
  async begin(
    gates: readonly Gate[],
    bakeMs = 10_000,
    first: StrategyStage = this.stages[0]!,
  ): Promise<void> {
    const stages = [first, ...this.stages.slice(1)].map((stage) => ({ bakeMs, ...stage }));
    const begun = code(await this.world.begin(this.at, { stages, gates }));
    assert(begun === 'ok', `a release in stages began: ${begun}`);
    await this.world.settle();
  }

  /** The stage that is reached, or the state. */
  async stage(): Promise<number | 'idle' | 'paused'> {
    const { state, staged } = await this.world.releaseOf(this.at);
    return state === 'rolling' ? (staged?.stage ?? -1) : (state as 'idle' | 'paused');
  }

  async shown(at = this.at): Promise<RolloutRelease | undefined> {
    return (await this.world.rollout(at)).releases?.[0];
  }

  /** How the gates are told to have judged last. */
  async gates(): Promise<readonly GateResult[]> {
    return (await this.shown())?.gates ?? [];
  }

  /** Answers `ok`, or the problem's code. */
  async act(action: string, more: object = {}): Promise<string> {
    return code(await this.world.release(this.at, { action, ...more }));
  }

  /** What history says was done last, and why. */
  async last(): Promise<string> {
    const [line] = await this.world.history(this.at);
    return `${line?.author} ${line?.action}: ${line?.reason ?? ''}`;
  }
}

export async function gatedWorld(at: string, stages = STAGES): Promise<GatedWorld> {
  const world = await claimedWorld();
  const gated = new GatedWorld(world, at, stages);
  await world.put(at, { a: 1 });
  await world.promote(at);
  await world.over(at, { a: 2 });
  return gated;
}
