import { address, cohortKey, isCandidate, layerAddresses } from '@pawl/contracts';
import type {
  Address,
  AddressText,
  ConsumerIdentity,
  JsonObject,
  ReleaseRequest,
  ReleaseStage,
  Snapshot,
  SnapshotInput,
  SnapshotRelease,
} from '@pawl/contracts';
import { pinsOnWay } from '../release/pin.js';
import type { PlacedPin } from '../release/pin.js';
import { planPin, planUnpin } from '../release/plan-pin.js';
import { planTransition } from '../release/plan-transition.js';
import { INITIAL_RELEASE } from '../release/release-state.js';
import type { ReleaseState } from '../release/release-state.js';
import { isLastStage, workloadsHeld } from '../release/staged-release.js';
import { pinnedInput, snapshotInput } from '../snapshot/snapshot-input.js';
import { makeSnapshot } from './make-snapshot.js';

export const PATH = layerAddresses(address('acme/prod/checkout'));

/** One step of an operator: `define` writes a version, `stage` promotes in stages, the rest are actions. */
export interface Step {
  readonly layer: number;
  readonly action: string;
  readonly target: number;
  /** Whom the stage takes that this step reaches; the last stage of a release takes everybody. */
  readonly stage: ReleaseStage;
  /** Of `pin` and `unpin`: the layer that is kept at `target`. */
  readonly ancestor?: number;
}

/** Whom a hold of a step holds. */
export const HELD_WORKLOAD = 'checkout';

const TARGETED = new Set(['promote', 'stage', 'rollback', 'block', 'unblock']);
const STRATEGY = { stages: [{ count: 1 }, { percent: 10 }, { percent: 50 }, { percent: 100 }] };
const EVERYBODY: ReleaseStage = { basisPoints: 10_000 };

/** Some layers, what is done to them, and every snapshot that is published of the lowest. */
export class StagedPath {
  readonly newest: number[];
  readonly releases: ReleaseState[];
  readonly published: Snapshot[] = [];
  /** Of the release under way at each layer, the stages reached. */
  private readonly reached: ReleaseStage[][];
  private began = 0;

  constructor(readonly path: readonly Address[] = PATH) {
    this.newest = path.map(() => 0);
    this.releases = path.map(() => INITIAL_RELEASE);
    this.reached = path.map(() => []);
  }

  run(steps: readonly Step[]): this {
    for (const step of steps) {
      if (step.action === 'define') this.newest[step.layer]! += 1;
      else if (step.ancestor !== undefined) this.pin(step, step.ancestor);
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
      ...{ address: this.path[layer]!.text, releaseId: `r${(this.began += 1)}` },
      asked: { by: 'ann', at: '', generation: 1 },
    });
    if (!outcome.ok || !outcome.value.changed) return;
    const { next } = outcome.value;
    this.reach(layer, next, stage);
    this.releases[layer] = next;
    this.publish();
  }

  /** Keeps a layer, and those below it, at a version of one above it, or does so no more. */
  private pin({ layer, action, target }: Step, ancestor: number): void {
    if (ancestor >= layer) return;
    const of = {
      ...{ address: this.path[layer]!.text, state: this.releases[layer]! },
      ...{ ancestor: this.path[ancestor]!.text, above: this.releases[ancestor]! },
    };
    const pinOf = (at: number): number[] =>
      this.releases[at]!.pins.filter((pin) => pin.ancestor === of.ancestor).map(
        (pin) => pin.version,
      );
    const between = this.path.flatMap((_, at) => (at > ancestor && at < layer ? pinOf(at) : []));
    const outcome =
      action === 'unpin'
        ? planUnpin(of)
        : planPin({
            ...{ ...of, between: between.toReversed() },
            ...{ targetVersion: target, until: '', reason: '', asked: { by: 'ann', at: '' } },
          });
    if (!outcome.ok || !outcome.value.changed) return;
    const { next, above } = outcome.value;
    this.releases[layer] = next;
    if (above !== null) this.releases[ancestor] = above;
    this.publish();
  }

  private publish(): void {
    const pins = this.pins();
    const inputs = this.path.flatMap(({ text }, at) => {
      const pinned = pins.get(text);
      return (pinned && pinnedInput(pinned)) ?? snapshotInput(text, this.releases[at]!) ?? [];
    });
    const of = { address: this.path.at(-1)!.text, version: this.published.length + 1 };
    this.published.push(publish(of, inputs, this.underWay()));
  }

  private pins(): ReadonlyMap<AddressText, PlacedPin> {
    const way = this.path.map(({ text: at }, index) => ({
      pins: new Map(this.releases[index]!.pins.map((pin) => [pin.ancestor, { pin, at }] as const)),
    }));
    return pinsOnWay(way);
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
    const pins = this.pins();
    return this.releases.flatMap(({ staged }, at) => {
      if (staged === null || pins.has(this.path[at]!.text)) return [];
      const { id } = staged;
      const held = workloadsHeld(staged);
      const out = held.length === 0 ? {} : { held };
      return [{ id, address: this.path[at]!.text, salt: id, stages: this.reached[at]!, ...out }];
    });
  }
}

/** What an owner publishes: a document for every set of the releases, which names it. */
export function publish(
  of: { readonly address: AddressText; readonly version: number },
  inputs: readonly SnapshotInput[],
  releases: readonly SnapshotRelease[],
): Snapshot {
  const sets = releases.reduce<readonly SnapshotRelease[][]>(
    (before, release) => [...before, ...before.map((set) => [...set, release])],
    [[]],
  );
  const documents = sets.map(cohortKey).map((cohort): [string, JsonObject] => [cohort, { cohort }]);
  return makeSnapshot({
    ...{ ...of, inputs, releases },
    documents: Object.fromEntries(documents),
  }).snapshot;
}

/** The definition version of each layer of the path as a consumer runs it: 0 where there is none. */
export function versionsOf(
  snapshot: Snapshot,
  consumer: ConsumerIdentity,
  path: readonly Address[] = PATH,
): readonly number[] {
  return path.map(({ text }) => {
    const input = snapshot.inputs.find((each) => each.address === text);
    const release = snapshot.releases.find((each) => each.address === text);
    const isReached = release !== undefined && isCandidate(release, consumer);
    return (isReached ? input?.candidate : input?.definitionVersion) ?? 0;
  });
}
