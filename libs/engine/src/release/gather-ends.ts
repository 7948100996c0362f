import { isCandidate, slotName } from '@pawl/contracts';
import type { SnapshotRelease } from '@pawl/contracts';
import type { AddressNode } from '../sharding/root-tree.js';
import { releasesOf } from '../sharding/cohorts.js';
import { emptyRun, identityOf } from '../status/incarnation.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import { loopedAt } from './crash-loop.js';
import type { End } from './crash-loop.js';

/** By slot and address. */
export type EndsBySlot = Map<string, End[]>;

/** Whose instances of one workload ended without a goodbye. */
export interface Ends {
  readonly candidates: EndsBySlot;
  /** The same of those that are none. */
  readonly rest: EndsBySlot;
  /** Live instances that are no candidates. */
  restLive: number;
}

/** What counts of the ends, in monotonic times. */
export interface EndsSince {
  /** Ends of candidates count from here on. */
  readonly endsSinceMs: number;
  /** Who begins from here on gets what the stage gives. */
  readonly stageSinceMs: number;
  /** How close two ends of a crash loop are, as the most patient gate has it. */
  readonly loopMs: number;
  /** Slots that were in a crash loop before they were candidates: those are found, and added. */
  readonly excused: Set<string>;
}

/** The ends of a workload. */
export function endsOf(ends: Map<string, Ends>, workload: string): Ends {
  const known = ends.get(workload) ?? { candidates: new Map(), rest: new Map(), restLive: 0 };
  ends.set(workload, known);
  return known;
}

/**
 * Adds the ends at one address. A candidate's is one that ran the release, or that began as a candidate: it
 * may die of the version before it can say that it runs it. One that rejected it did not run it. None counts
 * of a slot that was in a crash loop before.
 */
export function gatherEnds(
  ends: Map<string, Ends>,
  { address }: Pick<AddressNode, 'address'>,
  of: EndsSince & {
    readonly release: SnapshotRelease;
    readonly consumers: ShardConsumers;
    readonly held: ReadonlySet<string>;
  },
): void {
  const { release, consumers, held, endsSinceMs, stageSinceMs, loopMs, excused } = of;
  if (loopMs === 0) return;
  const before: EndsBySlot = new Map();
  const found: { readonly workload: string; readonly name: string; readonly end: End }[] = [];
  for (const { incarnation, ms } of consumers.endedAt(address.text, endsSinceMs - loopMs)) {
    const identity = identityOf(incarnation);
    const { workload, slot } = identity;
    if (slot === null || held.has(workload)) continue;
    const { firstSeenMs: fromMs, lastSeenMs: untilMs } = incarnation;
    const run = incarnation.runs.get(address.text) ?? emptyRun();
    const isOne = isCandidate(release, identity);
    const ranIt = releasesOf(run.cohort).includes(release.id);
    const beganSo = fromMs >= stageSinceMs && run.rejected === null;
    const name = `${slotName(workload, slot)} ${address.text}`;
    const end = { fromMs, untilMs, ms };
    if (isOne && !ranIt && !beganSo) {
      // Whoever dies of the version as soon as it comes may not have said that he runs it.
      if (ms < stageSinceMs) addEnd(before, name, end);
    } else if (ms >= endsSinceMs) {
      if (isOne) found.push({ workload, name, end });
      else addEnd(endsOf(ends, workload).rest, name, end);
    }
  }
  for (const [name, each] of before) if (loopedAt(each, loopMs) !== null) excused.add(name);
  for (const { workload, name, end } of found) {
    if (!excused.has(name)) addEnd(endsOf(ends, workload).candidates, name, end);
  }
}

function addEnd(ends: EndsBySlot, name: string, end: End): void {
  const known = ends.get(name);
  if (known === undefined) ends.set(name, [end]);
  else known.push(end);
}
