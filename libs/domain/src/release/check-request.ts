import { refused, RELEASE_ACTIONS } from '@pawl/contracts';
import type { Outcome, ReleaseAction, ReleaseRequest } from '@pawl/contracts';
import { resolveStrategy } from './resolve-strategy.js';

type Refusal = Extract<Outcome<never>, { ok: false }>;

const TARGET_REQUIRED: ReadonlySet<ReleaseAction> = new Set(['block', 'unblock']);
const TARGET_ALLOWED: ReadonlySet<ReleaseAction> = new Set([
  ...TARGET_REQUIRED,
  'promote',
  'rollback',
]);

export function isReleaseAction(action: string): action is ReleaseAction {
  return (RELEASE_ACTIONS as readonly string[]).includes(action);
}

/** What is wrong with a request whatever the state is; `undefined` when nothing is. */
export function checkRequest(action: ReleaseAction, request: ReleaseRequest): Refusal | undefined {
  const { targetVersion, strategy, force, reason } = request;
  if (targetVersion === undefined && TARGET_REQUIRED.has(action)) {
    return refused('malformed-request', `${action} needs a targetVersion: say which version`);
  }
  if (targetVersion !== undefined && !TARGET_ALLOWED.has(action)) {
    return refused('malformed-request', `${action} takes no targetVersion: leave it out`);
  }
  if (strategy !== undefined && action !== 'promote') {
    return refused('malformed-request', `${action} takes no strategy: only promote does`);
  }
  if (request.conflict !== undefined && action !== 'promote') {
    return refused('malformed-request', `${action} takes no conflict: only promote does`);
  }
  const unable = checkPreempt(action, request);
  if (unable !== undefined) return unable;
  if ((request.workloads === undefined) === (action === 'hold')) {
    const detail =
      action === 'hold'
        ? 'hold needs workloads: name each with the reason why'
        : `${action} takes no workloads: only hold does`;
    return refused('malformed-request', detail);
  }
  if (request.stage !== undefined && action !== 'approve') {
    return refused('malformed-request', `${action} takes no stage: only approve does`);
  }
  if ((request.ancestor ?? request.until ?? request.expireMs) !== undefined) {
    const detail = `${action} takes no ancestor and no end: only pin and unpin do`;
    return refused('malformed-request', detail);
  }
  const untimely = checkTime(action, request);
  if (untimely !== undefined) return untimely;
  const resolved = resolveStrategy(strategy);
  if (!resolved.ok) return resolved;
  if (force !== true) return undefined;
  if (action !== 'rollback') {
    return refused('malformed-request', `${action} cannot be forced: only rollback can`);
  }
  if (targetVersion === undefined) {
    return refused(
      'malformed-request',
      'a forced rollback needs a targetVersion: say which version',
    );
  }
  if ((reason ?? '').trim() === '') {
    return refused(
      'malformed-request',
      'a forced rollback needs a reason: it is kept in the audit',
    );
  }
  return undefined;
}

function checkTime(action: ReleaseAction, { at, conflict }: ReleaseRequest): Refusal | undefined {
  if (at === undefined) return undefined;
  if (action !== 'promote') {
    return refused('malformed-request', `${action} takes no time: only promote does`);
  }
  if (conflict !== 'supersede') return undefined;
  const detail =
    'what begins at a time supersedes nothing: leave conflict out, or send "requeue" to take the ' +
    'place of what is queued';
  return refused('malformed-request', detail);
}

function checkPreempt(
  action: ReleaseAction,
  { preempt, at, conflict }: ReleaseRequest,
): Refusal | undefined {
  if (preempt === undefined) return undefined;
  if (action !== 'promote') {
    return refused('malformed-request', `${action} takes no preempt: only promote does`);
  }
  if (at === undefined && conflict !== 'queue' && conflict !== 'requeue') return undefined;
  const detail =
    'what begins later pre-empts nothing: leave preempt out, or promote once it is to begin';
  return refused('malformed-request', detail);
}
