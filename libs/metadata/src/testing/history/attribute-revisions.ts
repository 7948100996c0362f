import type { CallOrder } from './call-order.js';
import { execute } from './history-model.js';
import type { HistoryModel } from './history-model.js';
import { describe, isEndOfLease, isMadeBy, positionOfWrite } from './place-calls.js';
import type { PlacedCall } from './place-calls.js';
import type { HistoryCall, Violation } from './history.js';

interface Attribution {
  /** Calls of unknown outcome that made a revision. */
  readonly placed: readonly PlacedCall[];
  readonly violations: readonly Violation[];
}

/** Either a call of unknown outcome or the end of a lease; each makes one revision at most. */
type Maker = HistoryCall | `lease ${string}`;

export interface ToAttribute {
  readonly model: HistoryModel;
  readonly calls: readonly HistoryCall[];
  /** The revisions that answered calls made. */
  readonly claims: ReadonlyMap<number, PlacedCall>;
  readonly order: CallOrder;
  /** Earlier revisions are nobody's concern. */
  readonly from: number;
}

/**
 * Finds who made the revisions that no answered call made: a maximum matching of revisions with the
 * calls of unknown outcome and the leases that could have made them. A revision that is left over
 * was made by nobody, twice by somebody, or by a call that had surely failed.
 */
export function attributeRevisions(history: ToAttribute): Attribution {
  const { model, claims, from } = history;
  const unclaimed: number[] = [];
  for (let revision = from; revision <= model.last; revision += 1) {
    if (!claims.has(revision)) unclaimed.push(revision);
  }
  const makers = matching(unclaimed, (revision) => possibleMakers(history, revision));
  const placed: PlacedCall[] = [];
  const violations: Violation[] = [];
  for (const revision of unclaimed) {
    const maker = makers.get(revision);
    if (maker === undefined) violations.push(explain(history, revision));
    else if (typeof maker === 'object') {
      const call = { ...maker, returnedAt: Infinity };
      placed.push({ call, position: positionOfWrite(revision), wrote: revision });
    }
  }
  return { placed, violations };
}

/** Kuhn's algorithm; what it leaves out cannot be had by any other choice. */
function matching(
  revisions: readonly number[],
  makersOf: (revision: number) => readonly Maker[],
): Map<number, Maker> {
  const revisionOf = new Map<Maker, number>();
  const edges = new Map(revisions.map((revision) => [revision, makersOf(revision)]));
  const assign = (revision: number, tried: Set<Maker>): boolean => {
    for (const maker of edges.get(revision) ?? []) {
      if (tried.has(maker)) continue;
      tried.add(maker);
      const taken = revisionOf.get(maker);
      if (taken === undefined || assign(taken, tried)) {
        revisionOf.set(maker, revision);
        return true;
      }
    }
    return false;
  };
  for (const revision of revisions) assign(revision, new Set());
  return new Map([...revisionOf].map(([maker, revision]) => [revision, maker]));
}

function possibleMakers(history: ToAttribute, revision: number): Maker[] {
  const { model, calls, order } = history;
  const position = positionOfWrite(revision);
  const makers: Maker[] = calls.filter(
    (call) =>
      call.outcome.kind === 'unknown' &&
      (order.latestBefore(call.calledAt)?.position ?? 0) < position &&
      couldMake(model, call, revision),
  );
  const lease = leaseOf(model, revision);
  if (lease !== null && isEndOfLease(model, lease, revision)) makers.push(`lease ${lease}`);
  return makers;
}

function couldMake(model: HistoryModel, { request }: HistoryCall, revision: number): boolean {
  if (request.kind === 'compact' || request.kind === 'lease-revoke') return false;
  return isMadeBy(model, revision, execute(request, model.stateAt(revision - 1), revision));
}

/** The lease of the first key that the revision deleted. */
function leaseOf(model: HistoryModel, revision: number): string | null {
  const [first] = model.eventsOf(revision);
  if (first === undefined) return null;
  const lease = model.get(first.kv.key, revision - 1)?.lease ?? '0';
  return lease === '0' ? null : lease;
}

function explain({ model, calls, claims }: ToAttribute, revision: number): Violation {
  const events = JSON.stringify(model.eventsOf(revision));
  const what = `revision ${revision} ${events}`;
  const like = calls.filter((call) => couldMake(model, call, revision));
  const never = like.find(({ outcome }) => outcome.kind === 'failed' || outcome.kind === 'refused');
  if (never !== undefined) {
    return { rule: 'A5', text: `${what} is what should never have been done: ${describe(never)}` };
  }
  const claimed = new Set([...claims.values()].map(({ call }) => call.id));
  const twice = like.find((call) => call.outcome.kind === 'unknown' || claimed.has(call.id));
  if (twice !== undefined) {
    return { rule: 'A4', text: `${what} was done once more than asked: ${describe(twice)}` };
  }
  return { rule: 'A1', text: `${what} was asked for by nobody` };
}
