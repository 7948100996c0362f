import { BUCKETS, slotName } from '@pawl/contracts';
import type { ReleaseStage } from '@pawl/contracts';
import { MAX_NAMES, reachStages, workloadOf } from './reach-stages.js';
import type { Instance, Reached } from './reach-stages.js';

/** An address that a release reaches. */
export interface ReachedPlace {
  readonly instances: readonly Instance[];
  /** The stages as its snapshot tells them; nobody leaves them. */
  readonly told: readonly ReleaseStage[];
}

/**
 * The stages of a release at each of the addresses that it reaches, in their order. A workload has its
 * share over all of them: its instances may be at one address each. So addresses that share a workload
 * are reached together, and each names those of the slots taken that are there. `kept` is of all of them.
 */
export function reachPlaces(
  release: Reached['release'],
  places: readonly ReachedPlace[],
  kept?: Reached['kept'],
): readonly (readonly ReleaseStage[])[] {
  const stages = new Map<ReachedPlace, readonly ReleaseStage[]>();
  for (const group of groupsOf(places)) {
    const instances = group.flatMap((place) => place.instances);
    const addresses = group.length;
    const all = reachStages({ release, instances, before: union(group), addresses, kept });
    for (const place of group) stages.set(place, stagesAt(place, all));
  }
  return places.map((place) => stages.get(place) ?? []);
}

/** The places that are connected by workloads; each group in order. */
function groupsOf(places: readonly ReachedPlace[]): ReachedPlace[][] {
  const groups = new Map<string, Set<Placed>>();
  const alone: Set<Placed>[] = [];
  for (const place of places) {
    const workloads = workloadsAt(place);
    const placed = { place, workloads };
    let group = new Set([placed]);
    if (workloads.size === 0) alone.push(group);
    for (const workload of workloads) group = merged(groups, group, workload);
    for (const workload of workloads) groups.set(workload, group);
  }
  const all = [...new Set(groups.values()), ...alone];
  return all.map((group) => [...group].map(({ place }) => place));
}

interface Placed {
  readonly place: ReachedPlace;
  readonly workloads: ReadonlySet<string>;
}

/** The workloads that are there, and those that were told of: whom they named may only be away. */
function workloadsAt({ instances, told }: ReachedPlace): ReadonlySet<string> {
  const workloads = new Set(instances.map(({ workload }) => workload));
  for (const { named = [] } of told) for (const name of named) workloads.add(workloadOf(name));
  return workloads;
}

/** Both groups as one, the smaller one added to the larger, for every workload of either. */
function merged(
  groups: Map<string, Set<Placed>>,
  group: Set<Placed>,
  workload: string,
): Set<Placed> {
  const other = groups.get(workload);
  if (other === undefined || other === group) return group;
  const [into, from] = other.size >= group.size ? [other, group] : [group, other];
  for (const placed of from) {
    into.add(placed);
    for (const of of placed.workloads) if (groups.get(of) === from) groups.set(of, into);
  }
  return into;
}

/** What the snapshots of some places tell together. */
function union(group: readonly ReachedPlace[]): ReleaseStage[] {
  const stages: ReleaseStage[] = [];
  const names: Set<string>[] = [];
  for (const { told } of group) {
    for (const [at, stage] of told.entries()) {
      const known = stages[at] ?? stage;
      stages[at] = { ...known, basisPoints: Math.max(known.basisPoints, stage.basisPoints) };
      const named = (names[at] ??= new Set());
      for (const name of stage.named ?? []) named.add(name);
    }
  }
  return stages.map(({ named: _, ...stage }, at) => ({ ...stage, named: [...(names[at] ?? [])] }));
}

/** Of the stages of all places, what one of them tells: whom it told before, and who is there. */
function stagesAt({ instances, told }: ReachedPlace, all: readonly ReleaseStage[]): ReleaseStage[] {
  const [first] = all;
  if (all.length === 1 && first?.basisPoints === BUCKETS) return [first];
  const here = new Set(instances.map(({ workload, slot }) => slotName(workload, slot)));
  let room = MAX_NAMES - told.reduce((sum, { named = [] }) => sum + named.length, 0);
  return all.map(({ named = [], ...stage }, at) => {
    const before = told[at]?.named ?? [];
    const known = new Set(before);
    const others = named.filter((name) => here.has(name) && !known.has(name));
    const added = others.slice(0, Math.max(0, room));
    room -= added.length;
    const names = [...before, ...added];
    return names.length === 0 ? stage : { ...stage, named: names };
  });
}
