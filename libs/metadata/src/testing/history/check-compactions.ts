import type { CallOrder } from './call-order.js';
import { describe } from './place-calls.js';
import type { HistoryCall, Violation } from './history.js';

/**
 * What is compacted is refused, and only that; what is yet to come likewise. A compaction to C makes
 * every state before C go for whoever asks after its answer.
 */
export function checkCompactions(calls: readonly HistoryCall[], order: CallOrder): Violation[] {
  const compactions = calls.filter(
    ({ request, outcome }) =>
      request.kind === 'compact' && (outcome.kind === 'ok' || outcome.kind === 'unknown'),
  );
  const violations: Violation[] = [];
  for (const call of calls) {
    const wrong = wrongForCompaction(call, compactions, order);
    if (wrong !== null) violations.push({ rule: 'A1', text: `${describe(call)}: ${wrong}` });
  }
  return violations;
}

function wrongForCompaction(
  call: HistoryCall,
  compactions: readonly HistoryCall[],
  order: CallOrder,
): string | null {
  const { request, outcome } = call;
  const asked = revisionAsked(call);
  if (asked === null) return null;
  const isPast = (limit: number) => (request.kind === 'compact' ? limit >= asked : limit > asked);
  if (outcome.kind === 'ok') {
    const over = compactions.find(
      (other) =>
        other !== call &&
        other.outcome.kind === 'ok' &&
        other.returnedAt < call.calledAt &&
        isPast(revisionAsked(other) ?? 0),
    );
    return over === undefined ? null : `after ${describe(over)}`;
  }
  if (outcome.kind !== 'refused') return null;
  if (outcome.refusal === 'compacted') {
    const possible = compactions.some(
      (other) =>
        other !== call && other.calledAt < call.returnedAt && isPast(revisionAsked(other) ?? 0),
    );
    return possible ? null : 'nobody had compacted so far';
  }
  const isLate = outcome.refusal === 'future-revision' && order.hadReached(asked, call.calledAt);
  return isLate ? 'that revision had been there' : null;
}

/** The old revision that a linearizable request is about; null: none. */
function revisionAsked({ request }: HistoryCall): number | null {
  if (request.kind === 'compact') return request.revision;
  if (request.kind !== 'range' || request.serializable === true) return null;
  return request.revision === undefined || request.revision === 0 ? null : request.revision;
}
