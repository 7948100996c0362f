import { attributeRevisions } from './attribute-revisions.js';
import { CallOrder } from './call-order.js';
import { checkCompactions } from './check-compactions.js';
import { FIRST_REVISION, HistoryModel } from './history-model.js';
import { describe, placeCall } from './place-calls.js';
import type { PlacedCall } from './place-calls.js';
import type { HistoryCall, HistoryRevision, Violation } from './history.js';

export interface KvHistory {
  readonly calls: readonly HistoryCall[];
  /** Everything that was ever written, from revision 2 on, as it was read back in the end. */
  readonly written: readonly HistoryRevision[];
  /** Revisions before this one were not made by these calls; left out: all were. */
  readonly from?: number;
}

export interface KvReport {
  readonly violations: readonly Violation[];
  readonly calls: number;
  /** Answered by the store, and found in its order. */
  readonly answered: number;
  readonly unknown: number;
  /** Of the unknown ones, those that the written revisions show to have been done. */
  readonly unknownDone: number;
  readonly revisions: number;
}

/**
 * Checks strict serializability of a history, revisions included (A1 to A3), that what surely failed
 * was not done (A5), and nothing twice (A4). Revisions give the one order of all writes, so this
 * takes little more than one look at each call: each answer must be that of the state at its
 * revision; each revision must be made by exactly one call, one of unknown outcome where no answered
 * one did, or by the end of a lease; no call takes effect before one that had returned when it was
 * called. A history that passes is linearizable: that order is the proof.
 */
export function checkKvHistory({ calls, written, from = FIRST_REVISION }: KvHistory): KvReport {
  const model = new HistoryModel(written);
  const violations: Violation[] = [...model.violations];
  const placed: PlacedCall[] = [];
  for (const call of calls) {
    if (call.outcome.kind !== 'ok') continue;
    const place = placeCall(model, call, call.outcome);
    if ('rule' in place) violations.push(place);
    else placed.push(place);
  }
  const claims = claimRevisions(placed, violations);
  const linearizable = placed.filter(({ call }) => isLinearizable(call));
  const order = new CallOrder(linearizable);
  const attributed = attributeRevisions({ model, calls, claims, order, from });
  violations.push(...attributed.violations, ...checkCompactions(calls, order));
  violations.push(...endedLeases(model, placed));
  violations.push(...new CallOrder([...linearizable, ...attributed.placed]).violations());
  return {
    violations,
    calls: calls.length,
    answered: placed.length,
    unknown: calls.filter(({ outcome }) => outcome.kind === 'unknown').length,
    unknownDone: attributed.placed.length,
    revisions: written.length,
  };
}

function claimRevisions(
  placed: readonly PlacedCall[],
  violations: Violation[],
): Map<number, PlacedCall> {
  const claims = new Map<number, PlacedCall>();
  for (const one of placed) {
    if (one.wrote === null) continue;
    const other = claims.get(one.wrote);
    if (other !== undefined) {
      const text = `revision ${one.wrote} is that of two: ${describe(other.call)}, ${describe(one.call)}`;
      violations.push({ rule: 'A2', text });
    }
    claims.set(one.wrote, one);
  }
  return claims;
}

function isLinearizable({ request }: HistoryCall): boolean {
  return !('serializable' in request && request.serializable === true);
}

/** No key is put with a lease after an answered revocation of it. */
function endedLeases(model: HistoryModel, placed: readonly PlacedCall[]): Violation[] {
  const endedAt = new Map<string, number>();
  for (const { call, position } of placed) {
    if (call.request.kind === 'lease-revoke') endedAt.set(call.request.lease, position / 2);
  }
  const violations: Violation[] = [];
  for (let revision = FIRST_REVISION; revision <= model.last; revision += 1) {
    for (const { kv } of model.eventsOf(revision)) {
      if (revision <= (endedAt.get(kv.lease) ?? Infinity)) continue;
      violations.push({
        rule: 'A1',
        text: `revision ${revision} put ${kv.key} with lease ${kv.lease}, which had been revoked`,
      });
    }
  }
  return violations;
}
