import { LIMITS } from '@pawl/contracts';
import type { ReleaseAction, ReleaseRequest } from '@pawl/contracts';
import { lineOf, placeOf, supersededBy } from '@pawl/domain';
import type { Cause, ReleaseState } from '@pawl/domain';
import type { AddressNode } from '../sharding/root-tree.js';
import type { HistoryEntry } from '../sharding/truth-store.port.js';
import { droppedLines, queueingLine } from './queued-promotes.js';
import type { Dropped } from './releases-in-flight.js';

/** A transition that is to be told; the address is as before it. */
export interface ToldChange {
  readonly node: AddressNode;
  readonly request: ReleaseRequest;
  /** In whose name, and when. */
  readonly author: string;
  readonly at: string;
  /** What it passes over, for people; empty: nothing. */
  readonly without: string;
  /** A release in stages ends since it was paused for too long. */
  readonly isExpiry: boolean;
  /** What was queued begins with it. */
  readonly isQueued: boolean;
}

/** What may put a version in force that breaks a schema. */
const FORCES: ReadonlySet<string> = new Set(['rollback', 'enable']);

/** What is said of the candidate rather than of the stable version. */
const STAGED_ACTIONS: ReadonlySet<string> = new Set([
  'advance',
  'skip',
  'pause',
  'resume',
  'abort',
  'hold',
  'approve',
  'promote',
]);

/**
 * The lines of history of a transition: of a release in stages whose place it takes, its own, of those of
 * other addresses that end with it, and of what was queued and is dropped.
 */
export function linesOf(
  change: ToldChange,
  release: ReleaseState,
  dropped: readonly Dropped[],
): HistoryEntry[] {
  return [
    ...supersededLines(change, release),
    ownLine(change, release),
    ...dropped.map((one) => endedLine(change, one)),
    ...droppedQueued(change, [{ node: change.node, release }, ...dropped]),
  ];
}

/** Why a release of another address ends with this. */
export function reasonOf({ node, request }: Pick<ToldChange, 'node' | 'request'>): string {
  const { action } = request;
  if (action !== 'promote') return `dropped by the ${action} of ${node.address.text}`;
  return `pre-empted by the promote of ${node.address.text}${becauseOf(request)}`.slice(
    0,
    LIMITS.messageLength,
  );
}

function becauseOf({ reason = '' }: ReleaseRequest): string {
  return reason === '' ? '' : `: ${reason}`;
}

function causeOf({ request, isExpiry }: ToldChange): Cause {
  const action = request.action as ReleaseAction;
  return { action, outcome: isExpiry ? 'expired' : undefined };
}

function ownLine(change: ToldChange, release: ReleaseState): HistoryEntry {
  const { node, request, without } = change;
  const { staged } = release;
  // A promote to all ends one that is under way, and is not about it.
  const about = staged ?? (request.action === 'promote' ? null : node.release.staged);
  const version =
    request.targetVersion ??
    (STAGED_ACTIONS.has(request.action) ? about?.candidateVersion : undefined) ??
    (request.action === 'cancel' ? node.release.queued?.targetVersion : undefined) ??
    release.stableVersion;
  const isOver = staged === null && request.action === 'advance';
  const stage = `${staged === null ? 'complete' : placeOf(staged)}${without}`;
  return {
    ...lineAt(change, node, release),
    action: request.action,
    ...(version === null ? {} : { version }),
    ...(staged === null && !isOver ? {} : { message: `${about?.strategy ?? ''}: ${stage}` }),
    ...whyOf(request),
    ...(release.forced && FORCES.has(request.action) ? { forced: true as const } : {}),
    ...lineOf(node.release, release, causeOf(change)),
    ...queueingLine(node.release, release),
  };
}

/** Of the release in stages of the same address whose place a promote takes. */
function supersededLines(change: ToldChange, release: ReleaseState): HistoryEntry[] {
  const { node, request } = change;
  const told = supersededBy(node.release, release, causeOf(change));
  if (told === null) return [];
  const by = release.staged?.candidateVersion ?? release.stableVersion;
  const reason = `superseded by the promote of version ${by}${becauseOf(request)}`;
  return [abortLine(change, { node, release, reason }, told)];
}

/** Of a release in stages of another address. */
function endedLine(change: ToldChange, dropped: Dropped): HistoryEntry {
  const { node, release } = dropped;
  const outcome = change.request.action === 'promote' ? 'pre-empted' : 'aborted';
  const told = lineOf(node.release, release, { action: 'abort', outcome });
  return abortLine(change, dropped, told);
}

function abortLine(
  change: ToldChange,
  { node, release, reason }: Dropped,
  told: ReturnType<typeof lineOf>,
): HistoryEntry {
  const version = node.release.staged?.candidateVersion;
  return {
    ...lineAt(change, node, release),
    action: 'abort',
    ...(version === undefined ? {} : { version }),
    reason: reason.slice(0, LIMITS.messageLength),
    ...told,
  };
}

function lineAt(
  { at, author }: ToldChange,
  { address }: AddressNode,
  { releaseVersion }: ReleaseState,
): Pick<HistoryEntry, 'address' | 'at' | 'author' | 'kind' | 'releaseVersion'> {
  return { address: address.text, at, author, kind: 'release', releaseVersion };
}

/** Of what was queued at the addresses that change and is dropped with it. */
function droppedQueued(
  { request, author, at, isQueued }: ToldChange,
  changes: readonly Pick<Dropped, 'node' | 'release'>[],
): HistoryEntry[] {
  if (request.action === 'cancel' || isQueued) return [];
  const of = { at, author, action: request.action };
  return changes.flatMap(({ node, release }) => droppedLines(node, release, of));
}

/** Reason and exception of a request, for the history. */
function whyOf(request: ReleaseRequest): Pick<HistoryEntry, 'reason'> {
  const { reason, freezeException, workloads = {}, preempt = [] } = request;
  const exception = freezeException === undefined ? [] : [`freeze exception: ${freezeException}`];
  const held = Object.entries(workloads).map(([workload, why]) => `${workload}: ${why}`);
  const ends = preempt.length === 0 ? [] : [`pre-empts: ${preempt.join(', ')}`];
  const all = [...held, ...(reason === undefined ? [] : [reason]), ...exception, ...ends];
  return all.length === 0 ? {} : { reason: all.join('; ').slice(0, LIMITS.messageLength) };
}
