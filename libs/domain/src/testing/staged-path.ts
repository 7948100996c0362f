import { address, cohortKey, isCandidate, layerAddresses } from '@pawl/contracts';
import type {
  ConsumerIdentity,
  JsonObject,
  ReleaseRequest,
  ReleaseStage,
  Snapshot,
  SnapshotInput,
  SnapshotRelease,
} from '@pawl/contracts';
import { planTransition } from '../release/plan-transition.js';
import { INITIAL_RELEASE } from '../release/release-state.js';
import type { ReleaseState } from '../release/release-state.js';
import { isLastStage, workloadsHeld } from '../release/staged-release.js';
import { snapshotInput } from '../snapshot/snapshot-input.js';
import { makeSnapshot } from './make-snapshot.js';

export const PATH = layerAddresses(address('acme/prod/checkout'));

/** One step of an operator: `define` writes a version, `stage` promotes in stages, the rest are actions. */
export interface Step {
  readonly layer: number;
  readonly action: string;
  readonly target: number;
  /** Whom the stage takes that this step reaches; the last stage of a release takes everybody. */
  readonly stage: ReleaseStage;
}

/** Whom a hold of a step holds. */
export const HELD_WORKLOAD = 'checkout';

const TARGETED = new Set(['promote', 'stage', 'rollback', 'block', 'unblock']);
const STRATEGY = { stages: [{ count: 1 }, { percent: 10 }, { percent: 50 }, { percent: 100 }] };
const EVERYBODY: ReleaseStage = { basisPoints: 10_000 };

/** Three layers, what is done to them, and every snapshot that is published of the lowest. */
export class StagedPath {
  readonly newest = PATH.map(() => 0);
  readonly releases: ReleaseState[] = PATH.map(() => INITIAL_RELEASE);
  readonly published: Snapshot[] = [];
  /** Of the release under way at each layer, the stages reached. */
  private readonly reached: ReleaseStage[][] = PATH.map(() => []);
  private began = 0;

  run(steps: readonly Step[]): this {
    for (const step of steps) {
      if (step.action === 'define') this.newest[step.layer]! += 1;
      else this.release(step);
    }
    return this;
  }

  get last(): Snapshot {
    return this.published.at(-1)!;
  }

  private release({ layer, action, target, stage }: Step): void {
    const request: ReleaseRequest = {
      action: action === 'stage' ? 'promote' : action,
      ...(TARGETED.has(action) ? { targetVersion: target } : {}),
      ...(action === 'stage' ? { strategy: STRATEGY } : {}),
      ...(action === 'hold' ? { workloads: { [HELD_WORKLOAD]: 'it is sick' } } : {}),
      ...(action === 'promote' ? { strategy: 'all-at-once' } : {}),
    };
    const outcome = planTransition({
      ...{ state: this.releases[layer]!, newestVersion: this.newest[layer]!, request },
      ...{ address: PATH[layer]!.text, releaseId: `r${(this.began += 1)}` },
      asked: { by: 'ann', at: '', generation: 1 },
    });
    if (!outcome.ok || !outcome.value.changed) return;
    const { next } = outcome.value;
    this.reach(layer, next, stage);
    this.releases[layer] = next;
    const inputs = PATH.flatMap(({ text }, at) => snapshotInput(text, this.releases[at]!) ?? []);
    this.published.push(publish(this.published.length + 1, inputs, this.underWay()));
  }

  private reach(layer: number, { staged }: ReleaseState, stage: ReleaseStage): void {
    const before = this.releases[layer]!.staged;
    const isSame = staged?.id === before?.id;
    if (isSame && staged?.stage === before?.stage) return;
    const earlier = isSame ? this.reached[layer]! : [];
    const taken = staged !== null && isLastStage(staged) ? EVERYBODY : stage;
    this.reached[layer] = staged === null ? [] : [...earlier, taken];
  }

  private underWay(): readonly SnapshotRelease[] {
    return this.releases.flatMap(({ staged }, at) => {
      if (staged === null) return [];
      const { id } = staged;
      const held = workloadsHeld(staged);
      const out = held.length === 0 ? {} : { held };
      return [{ id, address: PATH[at]!.text, salt: id, stages: this.reached[at]!, ...out }];
    });
  }
}

/** What an owner publishes: a document for every set of the releases, which names it. */
export function publish(
  version: number,
  inputs: readonly SnapshotInput[],
  releases: readonly SnapshotRelease[],
): Snapshot {
  const sets = releases.reduce<readonly SnapshotRelease[][]>(
    (before, release) => [...before, ...before.map((set) => [...set, release])],
    [[]],
  );
  const documents = sets.map(cohortKey).map((cohort): [string, JsonObject] => [cohort, { cohort }]);
  return makeSnapshot({
    ...{ address: PATH.at(-1)!.text, version, inputs, releases },
    documents: Object.fromEntries(documents),
  }).snapshot;
}

/** The definition version of each layer of the path as a consumer runs it: 0 where there is none. */
export function versionsOf(snapshot: Snapshot, consumer: ConsumerIdentity): readonly number[] {
  return PATH.map(({ text }) => {
    const input = snapshot.inputs.find((each) => each.address === text);
    const release = snapshot.releases.find((each) => each.address === text);
    const isReached = release !== undefined && isCandidate(release, consumer);
    return (isReached ? input?.candidate : input?.definitionVersion) ?? 0;
  });
}
