import { done, refused } from '@pawl/contracts';
import type { Outcome, Problem, ReleaseRequest } from '@pawl/contracts';
import type { Definition, QueuedRelease, ReleaseState } from '@pawl/domain';
import { ALL_AT_ONCE } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { AddressNode, RootTree } from '../sharding/root-tree.js';
import type { HistoryEntry } from '../sharding/truth-store.port.js';
import { allVariants, replacing } from './evaluate-change.js';
import { refusal } from './refusal.js';

const DAY_MS = 86_400_000;
/** How far ahead a promote may begin. */
const MAX_AHEAD_DAYS = 90;

/** The request with its time as all times are written; refused unless it lies ahead, and not too far. */
export function judgeTime(
  { clock, formatTime, parseTime }: Pick<EngineContext, 'clock' | 'formatTime' | 'parseTime'>,
  request: ReleaseRequest,
): Outcome<ReleaseRequest> {
  if (request.at === undefined) return done(request);
  const atMs = parseTime(request.at);
  const nowMs = clock.wallMs();
  if (Number.isNaN(atMs)) {
    return refused('malformed-request', `${request.at} is no time: write it as RFC 3339 has it`);
  }
  if (atMs <= nowMs || atMs > nowMs + MAX_AHEAD_DAYS * DAY_MS) {
    const detail =
      `${request.at} is not ahead, or more than ${MAX_AHEAD_DAYS} days: it is ${formatTime(nowMs)} now; ` +
      'leave the time out to begin at once';
    return refused('malformed-request', detail);
  }
  return done({ ...request, at: formatTime(atMs) });
}

/** What a promote would be refused for, were its version to reach everybody now. */
export async function judgeQueued(
  context: EngineContext,
  tree: RootTree,
  of: { readonly node: AddressNode; readonly definition: Definition | null },
): Promise<Problem | undefined> {
  const hypothesis = replacing(of.node.address, of.definition);
  return refusal(await allVariants(context, tree, hypothesis));
}

/** The promote by which what is queued begins, as the policy judges it. */
export function promoteOf(queued: QueuedRelease): ReleaseRequest {
  const { targetVersion, strategy, freezeException } = queued;
  const stages = strategy && { stages: [...strategy.stages], gates: [...strategy.gates] };
  return {
    action: 'promote',
    targetVersion,
    strategy: stages ?? ALL_AT_ONCE,
    reason: reasonOf(queued),
    ...(freezeException === null ? {} : { freezeException }),
  };
}

/** What is said of its strategy to people. */
export function strategyName({ strategy }: QueuedRelease): string {
  return strategy?.strategy ?? ALL_AT_ONCE;
}

/** Why it begins, for the history. */
function reasonOf({ beginAt, queuedAt, reason }: QueuedRelease): string {
  const when = beginAt === null ? `queued at ${queuedAt}` : `scheduled for ${beginAt}`;
  const why = reason === null || reason === '' ? '' : `: ${reason}`;
  return `${when}, begun by pawl${why}`;
}

/** What the history tells of a transition that queues a promote; nothing of another. */
export function queueingLine(
  before: ReleaseState,
  { queued }: ReleaseState,
): Pick<HistoryEntry, 'action' | 'version' | 'message'> {
  if (queued === null || queued === before.queued) return {};
  const { targetVersion: version, beginAt } = queued;
  const name = strategyName(queued);
  if (beginAt === null) return { action: 'queue', version, message: name };
  return { action: 'schedule', version, message: `${name}, to begin at ${beginAt}` };
}

/** What is queued before a transition and not after it; `null`: nothing. */
export function droppedOf(before: ReleaseState, next: ReleaseState): QueuedRelease | null {
  return next.queued === before.queued ? null : before.queued;
}

/** The line of history for a promote that was queued and is dropped with a transition; none of another. */
export function droppedLines(
  { address, release: before }: AddressNode,
  next: ReleaseState,
  of: Pick<HistoryEntry, 'at' | 'author' | 'action'>,
): HistoryEntry[] {
  const queued = droppedOf(before, next);
  if (queued === null) return [];
  const { targetVersion: version } = queued;
  const { action = 'release', at, author } = of;
  const reason =
    next.queued === null
      ? `what was queued is dropped with this ${action}`
      : `version ${next.queued.targetVersion} takes the place of what was queued`;
  return [
    {
      ...{ address: address.text, at, author, kind: 'release', action: 'cancel', version },
      ...{ releaseVersion: next.releaseVersion, reason },
    },
  ];
}
