import { bucketOf, BUCKETS, isSelected, slotName } from '@pawl/contracts';
import type { ConsumerIdentity, ReleaseStage } from '@pawl/contracts';
import type { Stage, StagedRelease } from './staged-release.js';

/** A live instance at an address, with the slot that it holds. */
export type Instance = ConsumerIdentity & { readonly slot: number };

/** Slots that a release names for each address; above, hashes choose and names only set right. */
const MAX_CHOSEN = 1_000;
/** Names of a release at one address: three such releases and eight small documents fit a message. */
export const MAX_NAMES = 2_000;

/** What a release has reached at one address, and who is there. */
export interface Reached {
  readonly release: Pick<StagedRelease, 'id' | 'stages' | 'stage'>;
  readonly instances: readonly Instance[];
  /** What was reached so far, as the address's snapshot tells it; nobody leaves it. */
  readonly before: readonly ReleaseStage[];
  /**
   * Names of slots that are kept for whoever comes in the place of a holder that is gone; all when left out.
   * Only asked of those that nobody holds.
   */
  readonly kept?: Pick<ReadonlySet<string>, 'has'> | undefined;
  /** At how many addresses the instances are; 1 when left out. Each of them has names of its own. */
  readonly addresses?: number;
}

/**
 * The stages of a release as snapshots of one address tell them. Each stage takes its share of each
 * workload there, the slots of the lowest buckets first, by name. Slots that were named and whose
 * instances are away count while they are kept, so that nobody is put in the place of one that is only
 * restarted, or that the release may have ended. Once they are not, others are taken, and whoever comes to
 * hold such a slot later is a candidate as well.
 * Where hashes have chosen it is not known who is away: later on only workloads that have no candidate
 * get one by name. The same again where everybody has its share already.
 */
export function reachStages({
  release,
  instances,
  before,
  kept,
  addresses = 1,
}: Reached): ReleaseStage[] {
  const { id, stages, stage } = release;
  if (stage === stages.length - 1) return [{ basisPoints: BUCKETS }];
  const pools = poolsOf(id, instances);
  const reached: ReleaseStage[] = [];
  for (const [at, wanted] of stages.slice(0, stage + 1).entries()) {
    const others = [...reached, ...before.slice(at + 1)];
    reached.push(reachStage({ pools, others, told: before[at], kept, addresses }, wanted));
  }
  return reached;
}

/** What decides whether an instance is a candidate, worked out once: there may be 10,000 of them. */
interface Member extends Instance {
  readonly name: string;
  readonly bucket: number;
}

/** The instances of one workload, by bucket: the order in which a release takes them. */
interface Pool {
  readonly workload: string;
  readonly members: readonly Member[];
}

interface Place {
  readonly pools: readonly Pool[];
  /** The stages before, and those behind that were told. */
  readonly others: readonly ReleaseStage[];
  /** The stage itself, as it was told last. */
  readonly told: ReleaseStage | undefined;
  readonly kept: Reached['kept'];
  readonly addresses: number;
}

/** What a stage takes of one workload. */
interface Taken {
  /** Live instances of the workload. */
  readonly live: number;
  /** Those of them that are no candidates, by bucket. */
  readonly rest: readonly Member[];
  /** Candidates among those whose labels match, and slots that were named and are kept. */
  readonly count: number;
  /** Slots that it lacks for its share, in the order in which they are taken. */
  readonly lacks: readonly string[];
}

function poolsOf(salt: string, instances: readonly Instance[]): readonly Pool[] {
  const pools = new Map<string, Map<number, Member>>();
  for (const instance of instances) {
    const { workload, slot } = instance;
    const members = pools.get(workload) ?? new Map<number, Member>();
    pools.set(workload, members);
    // Two processes of one consumer hold the same slot.
    if (members.has(slot)) continue;
    const name = slotName(workload, slot);
    members.set(slot, { ...instance, name, bucket: bucketOf(salt, workload, slot) });
  }
  return [...pools]
    .map(([workload, members]) => ({
      workload,
      members: [...members.values()].sort((a, b) => a.bucket - b.bucket || a.slot - b.slot),
    }))
    .sort((a, b) => (a.workload < b.workload ? -1 : 1));
}

function reachStage(place: Place, stage: Stage): ReleaseStage {
  const { selector, percent } = stage;
  const named = place.told?.named ?? [];
  const basisPoints = place.told?.basisPoints ?? 0;
  const told = { ...only(selector), basisPoints };
  const names = place.others.reduce((sum, one) => sum + (one.named?.length ?? 0), named.length);
  const room = MAX_NAMES * place.addresses - names;
  const exact = takenOf(place, stage, withNames(told, named));
  const wanted = exact.reduce((sum, { lacks }) => sum + lacks.length, names);
  if (percent === undefined || (basisPoints === 0 && wanted <= MAX_CHOSEN * place.addresses)) {
    return withNames(told, [...named, ...inTurns(exact, room)]);
  }
  const shared = Math.max(basisPoints, sharedBelow(exact, stage));
  const hashed = { ...told, basisPoints: shared };
  const taken = takenOf(place, stage, withNames(hashed, named));
  const lacking = basisPoints === 0 ? taken : taken.map(onlyFirst);
  return withNames(hashed, [...named, ...inTurns(lacking, room)]);
}

function only(selector: ReleaseStage['selector']): Pick<ReleaseStage, 'selector'> {
  return selector === undefined ? {} : { selector };
}

function withNames(stage: ReleaseStage, named: readonly string[]): ReleaseStage {
  return named.length === 0 ? stage : { ...stage, named };
}

/** What a stage that has reached this takes of each workload. */
function takenOf({ pools, others, kept }: Place, stage: Stage, reached: ReleaseStage): Taken[] {
  const stages = [...others, reached];
  const isIn = candidates(stages);
  const namesOf = byWorkload(new Set(stages.flatMap(({ named = [] }) => named)));
  return pools.map(({ workload, members }) => {
    const held = new Set(members.map(({ name }) => name));
    const empty = (namesOf.get(workload) ?? []).filter((name) => !held.has(name));
    const away = empty.filter((name) => kept?.has(name) !== false).length;
    const matching = members.filter(({ labels }) => isSelected(stage, labels)).length;
    const share = shareOf(stage, matching, members.length);
    // What ends as many candidates as the stage takes may be the version, whatever they say as they go.
    const spent = Math.max(0, empty.length - away - share);
    const rest = members.filter((member) => !isIn(member));
    const free = rest.filter(({ labels }) => isSelected(stage, labels));
    const count = matching - free.length + away + spent;
    const most = members.length > 1 ? rest.length - 1 : rest.length;
    const lacking = Math.min(share - count, most);
    const lacks = free.slice(0, Math.max(0, lacking)).map(({ name }) => name);
    return { live: members.length, rest, count, lacks };
  });
}

/** What `isCandidate` tells, of members. */
function candidates(stages: readonly ReleaseStage[]): (member: Member) => boolean {
  const known = stages.map((stage) => ({ stage, names: new Set(stage.named) }));
  return ({ name, bucket, labels }) =>
    known.some(
      ({ stage, names }) =>
        (bucket < stage.basisPoints || names.has(name)) && isSelected(stage, labels),
    );
}

/** The workload of a slot's name. */
export function workloadOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/'));
}

function byWorkload(names: Iterable<string>): Map<string, string[]> {
  const named = new Map<string, string[]>();
  for (const name of names) {
    const workload = workloadOf(name);
    const known = named.get(workload);
    if (known === undefined) named.set(workload, [name]);
    else known.push(name);
  }
  return named;
}

/**
 * How many of `matching` instances a stage takes, of a workload that has `all` of them. Reckoned in whole
 * basis points, which are exact.
 */
function shareOf({ percent, count }: Stage, matching: number, all: number): number {
  const wanted = count ?? Math.ceil((Math.round((percent ?? 0) * 100) * matching) / BUCKETS);
  const most = matching === all && all > 1 ? all - 1 : matching;
  return Math.min(Math.max(wanted, 1), most);
}

/** The share in basis points, lowered so far that no workload of several is in it as a whole. */
function sharedBelow(taken: readonly Taken[], stage: Stage): number {
  let share = Math.round((stage.percent ?? 0) * 100);
  for (const { live, rest, count } of taken) {
    const isWhole = rest.every(({ labels }) => isSelected(stage, labels));
    if (isWhole && live + count > 1) share = Math.min(share, rest.at(-1)?.bucket ?? share);
  }
  return share;
}

function onlyFirst(taken: Taken): Taken {
  return { ...taken, lacks: taken.count === 0 ? taken.lacks.slice(0, 1) : [] };
}

/** One name of each workload, then a second one of each, as far as there is room. */
function inTurns(taken: readonly Taken[], room: number): string[] {
  const names: string[] = [];
  for (let turn = 0, any = true; any && names.length < room; turn += 1) {
    any = false;
    for (const { lacks } of taken) {
      const name = lacks[turn];
      if (name === undefined || names.length >= room) continue;
      names.push(name);
      any = true;
    }
  }
  return names;
}
