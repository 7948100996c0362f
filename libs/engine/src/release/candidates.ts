import { isCandidate, slotName } from '@pawl/contracts';
import type { ConsumerIdentity, SnapshotRelease } from '@pawl/contracts';
import type { AddressNode } from '../sharding/root-tree.js';
import { emptyRun, identityOf } from '../status/incarnation.js';
import { consumerState } from '../status/rollout-view.js';
import type { ShardConsumers } from '../status/shard-consumers.js';
import { releasesOf } from '../sharding/cohorts.js';

/** How the candidates of one release answer, as far as they are heard. */
export interface Candidates {
  /** Live instances that the release has reached. */
  live: number;
  /** Of those: run the version that is released, as candidates. */
  applied: number;
  rejected: number;
  lagging: number;
  /**
   * Slots whose instance ran it, or was live when it began, fell silent without saying goodbye, and was
   * not replaced; none while it may be that nobody can be heard.
   */
  lost: number;
  /** One of the reasons given by those that rejected. */
  reason: string | null;
}

export function noCandidates(): Candidates {
  return { live: 0, applied: 0, rejected: 0, lagging: 0, lost: 0, reason: null };
}

/** A live candidate and how it answers, or a slot that is lost. */
export interface SeenCandidate {
  readonly workload: string;
  /** Of one that is live. */
  readonly labels?: ConsumerIdentity['labels'];
  readonly state: 'applied' | 'rejected' | 'lagging' | 'lost';
  /** Why it rejected. */
  readonly reason: string | null;
}

interface At {
  readonly node: Pick<AddressNode, 'address' | 'published'>;
  readonly release: SnapshotRelease;
  readonly consumers: ShardConsumers;
  /** Since when the release is known here, monotonic milliseconds; what is left out is not told of. */
  readonly sinceMs?: number;
}

/** Counts the candidates of a release at one address into `sum`. */
export function countCandidates(
  sum: Candidates,
  node: At['node'],
  of: Pick<At, 'release' | 'consumers'>,
): void {
  eachCandidate({ node, ...of }, (seen) => {
    countCandidate(sum, seen);
    sum.reason ??= seen.reason;
  });
}

export function countCandidate(
  sum: Omit<Candidates, 'reason'>,
  { state }: Pick<SeenCandidate, 'state'>,
): void {
  if (state !== 'lost') sum.live += 1;
  sum[state] += 1;
}

/**
 * Calls back for each candidate of a release at one address, as far as they are heard, and with its
 * workload for each that is live, has a slot, and is none.
 */
export function eachCandidate(
  { node, release, consumers, sinceMs = Infinity }: At,
  tell: (seen: SeenCandidate) => void,
  tellOther?: (workload: string) => void,
): void {
  const held = new Set<string>();
  const silent = new Map<string, string>();
  for (const incarnation of consumers.at(node.address.text)) {
    const identity = identityOf(incarnation);
    const { workload } = identity;
    const run = incarnation.runs.get(node.address.text) ?? emptyRun();
    const name = slotName(workload, identity.slot ?? -1);
    const isLive = consumers.isLive(incarnation);
    if (isLive) held.add(name);
    if (!isCandidate(release, identity)) {
      if (isLive && identity.slot !== null) tellOther?.(workload);
      continue;
    }
    if (!isLive) {
      const ran = releasesOf(run.cohort).includes(release.id);
      // It may die of the version before it can say that it runs it.
      const wasThere = ran || consumers.wasLiveSince(incarnation, sinceMs);
      if (!incarnation.left && wasThere) silent.set(name, workload);
      continue;
    }
    const answered = consumerState(true, { incarnation, run }, node.published);
    // What a former owner saved is no answer: it may have died since.
    const isHeard = consumers.isHeard(incarnation);
    // Whoever runs the release already and only not the newest below it yet has applied the release.
    const runsIt = answered !== 'rejected' && releasesOf(run.cohort).includes(release.id);
    const isAnswer = isHeard && (answered === 'applied' || answered === 'rejected');
    const state = isAnswer ? answered : isHeard && runsIt ? 'applied' : 'lagging';
    const reason = state === 'rejected' ? (run.rejected?.reason ?? null) : null;
    tell({ workload, labels: identity.labels, state, reason });
  }
  if (!consumers.hears) return;
  for (const [name, workload] of silent) {
    if (!held.has(name)) tell({ workload, state: 'lost', reason: null });
  }
}
