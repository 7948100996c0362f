import { bucketOf, BUCKETS, isCandidate, isSelected, slotName } from '@pawl/contracts';
import type { ConsumerIdentity, ReleaseStage } from '@pawl/contracts';
import type { Stage, StagedRelease } from './staged-release.js';

/** A live instance at an address, with the slot that it holds. */
export type Instance = ConsumerIdentity & { readonly slot: number };

/** Slots that a release names at one address; above, hashes choose and names only set right. */
const MAX_CHOSEN = 1_000;
/** Names of a release at one address: three such releases and eight small documents fit a message. */
const MAX_NAMES = 2_000;

/** What a release has reached at one address, and who is there. */
export interface Reached {
  readonly release: Pick<StagedRelease, 'id' | 'stages' | 'stage'>;
  readonly instances: readonly Instance[];
  /** What was reached so far, as the address's snapshot tells it; nobody leaves it. */
  readonly before: readonly ReleaseStage[];
}

/**
 * The stages of a release as snapshots of one address tell them. Each stage takes its share of each
 * workload there, the slots of the lowest buckets first, by name. Slots that were named and whose
 * instances are away count, so that nobody is put in the place of one that the release may have ended.
 * The same again where everybody has its share already.
 */
export function reachStages({ release, instances, before }: Reached): ReleaseStage[] {
  const { id, stages, stage } = release;
  if (stage === stages.length - 1) return [{ basisPoints: BUCKETS }];
  const pools = poolsOf(id, instances);
  const reached: ReleaseStage[] = [];
  for (const [at, wanted] of stages.slice(0, stage + 1).entries()) {
    reached.push(reachStage({ salt: id, pools, earlier: reached, before: before[at] }, wanted));
  }
  return reached;
}

interface Member extends Instance {
  readonly bucket: number;
}

/** The instances of each workload, by bucket: the order in which a release takes them. */
type Pools = readonly { readonly workload: string; readonly members: readonly Member[] }[];

interface Place {
  readonly salt: string;
  readonly pools: Pools;
  readonly earlier: readonly ReleaseStage[];
  readonly before: ReleaseStage | undefined;
}

function poolsOf(salt: string, instances: readonly Instance[]): Pools {
  const pools = new Map<string, Member[]>();
  for (const instance of instances) {
    const { workload, slot } = instance;
    const member = { ...instance, bucket: bucketOf(salt, workload, slot) };
    const members = pools.get(workload);
    if (members === undefined) pools.set(workload, [member]);
    else members.push(member);
  }
  for (const members of pools.values()) {
    members.sort((a, b) => a.bucket - b.bucket || a.slot - b.slot);
  }
  return [...pools]
    .map(([workload, members]) => ({ workload, members }))
    .sort((a, b) => (a.workload < b.workload ? -1 : 1));
}

function reachStage(place: Place, stage: Stage): ReleaseStage {
  const { selector, percent } = stage;
  const named = place.before?.named ?? [];
  const basisPoints = place.before?.basisPoints ?? 0;
  const earlier = place.earlier.reduce((sum, { named: names = [] }) => sum + names.length, 0);
  const room = MAX_NAMES - earlier - named.length;
  const exact = lacking(place, stage, { ...only(selector), basisPoints, named });
  const names = exact.reduce((sum, lacks) => sum + lacks.length, named.length + earlier);
  if (names <= MAX_CHOSEN || percent === undefined) {
    return withNames({ ...only(selector), basisPoints }, [...named, ...inTurns(exact, room)]);
  }
  const shared = Math.max(basisPoints, sharedBelow(place.pools, percent));
  const hashed = { ...only(selector), basisPoints: shared };
  const lacks = lacking(place, stage, { ...hashed, named });
  return withNames(hashed, [...named, ...inTurns(lacks, room)]);
}

function only(selector: ReleaseStage['selector']): Pick<ReleaseStage, 'selector'> {
  return selector === undefined ? {} : { selector };
}

function withNames(stage: ReleaseStage, named: readonly string[]): ReleaseStage {
  return named.length === 0 ? stage : { ...stage, named };
}

/** The slots that each workload lacks for its share, in the order in which they are taken. */
function lacking(
  { salt, pools, earlier }: Place,
  stage: Stage,
  reached: ReleaseStage,
): readonly (readonly string[])[] {
  const stages = [...earlier, reached];
  const names = new Set(stages.flatMap(({ named = [] }) => named));
  const release = { id: salt, address: '', salt, stages: stages.map(withoutNames) };
  const namesOf = countByWorkload(names);
  return pools.map(({ workload, members }) => {
    const isNamed = ({ slot }: Member): boolean => names.has(slotName(workload, slot));
    const away = (namesOf.get(workload) ?? 0) - members.filter(isNamed).length;
    const matching = members.filter(({ labels }) => isSelected(stage, labels));
    const others = matching.filter((member) => !isNamed(member) && !isCandidate(release, member));
    const taken = matching.length - others.length + away;
    const lacks = Math.max(0, shareOf(stage, matching.length, members.length) - taken);
    return others.slice(0, lacks).map(({ slot }) => slotName(workload, slot));
  });
}

function countByWorkload(names: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    const workload = name.slice(0, name.lastIndexOf('/'));
    counts.set(workload, (counts.get(workload) ?? 0) + 1);
  }
  return counts;
}

function withoutNames({ named: _, ...stage }: ReleaseStage): ReleaseStage {
  return stage;
}

/** How many of `matching` instances a stage takes, of a workload that has `all` of them. */
function shareOf({ percent, count }: Stage, matching: number, all: number): number {
  if (matching === 0) return 0;
  const wanted = count ?? Math.ceil(((percent ?? 0) * matching) / 100);
  const most = matching === all && all > 1 ? all - 1 : matching;
  return Math.min(Math.max(wanted, 1), most);
}

/** The share in basis points, lowered so far that no workload of several is in it as a whole. */
function sharedBelow(pools: Pools, percent: number): number {
  const highest = pools
    .filter(({ members }) => members.length > 1)
    .map(({ members }) => members.at(-1)?.bucket ?? 0);
  return highest.reduce((least, bucket) => Math.min(least, bucket), Math.floor(percent * 100));
}

/** One name of each workload, then a second one of each, as far as there is room. */
function inTurns(lacks: readonly (readonly string[])[], room: number): string[] {
  const names: string[] = [];
  for (let turn = 0, any = true; any && names.length < room; turn += 1) {
    any = false;
    for (const each of lacks) {
      const name = each[turn];
      if (name === undefined || names.length >= room) continue;
      names.push(name);
      any = true;
    }
  }
  return names;
}
