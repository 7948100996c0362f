import { cohortOf, isHigher, STABLE_COHORT } from '@pawl/contracts';
import type { Address, ConsumerState, ConsumerView, Page, RolloutView } from '@pawl/contracts';
import type { PageQuery } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { PublishedSnapshot } from '../sharding/root-tree.js';
import { emptyRun, identityOf } from './incarnation.js';
import type { Incarnation, Run } from './incarnation.js';
import { pageOf } from './page-of.js';
import type { ShardConsumers } from './shard-consumers.js';

const MAX_REASONS = 20;

/** How an incarnation answered the published snapshot; `stale` when it is no longer live. */
export function consumerState(
  live: boolean,
  { incarnation, run }: { readonly incarnation: Incarnation; readonly run: Run },
  published: PublishedSnapshot | null,
): ConsumerState {
  if (!live) return 'stale';
  if (published === null) return 'lagging';
  const cohort = cohortOf(published.releases, identityOf(incarnation));
  if (isPublished(run, published) && run.cohort === cohort) return 'applied';
  const { rejected } = run;
  if (rejected === null || isHigher(published, rejected)) return 'lagging';
  const isOther = !isHigher(rejected, published) && (rejected.cohort ?? cohort) !== cohort;
  return isOther ? 'lagging' : 'rejected';
}

/** Whether what runs is what is published: version and bytes, as far as they were reported. */
function isPublished(run: Run, published: PublishedSnapshot): boolean {
  const sameVersion = run.generation === published.generation && run.version === published.version;
  return sameVersion && (run.hash === null || run.hash === published.hash);
}

/** What status takes of an address. */
export interface StatusNode {
  readonly address: Pick<Address, 'text'>;
  readonly published: PublishedSnapshot | null;
  readonly head: { readonly generation: number; readonly version: number };
}

/** Published against applied, as the live consumers of one address report it. */
export function rolloutView(node: StatusNode, consumers: ShardConsumers): RolloutView {
  const { published } = node;
  const counts = { applied: 0, lagging: 0, rejected: 0, stale: 0 };
  const byVersion = new Map<number, number>();
  const reasons = new Map<string, number>();
  const propagation: number[] = [];
  for (const incarnation of consumers.at(node.address.text)) {
    const run = incarnation.runs.get(node.address.text) ?? emptyRun();
    const state = consumerState(consumers.isLive(incarnation), { incarnation, run }, published);
    counts[state] += 1;
    if (state === 'stale') continue;
    byVersion.set(run.version, (byVersion.get(run.version) ?? 0) + 1);
    if (state === 'applied' && run.propagationMs !== null) propagation.push(run.propagationMs);
    if (state === 'rejected') {
      const reason = run.rejected?.reason ?? '';
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
  }
  const { applied, lagging, rejected } = counts;
  const live = applied + lagging + rejected;
  return {
    address: node.address.text,
    published: published && publishedView(published),
    consumers: {
      live,
      applied,
      lagging,
      rejected,
      byVersion: Object.fromEntries([...byVersion].sort(([a], [b]) => a - b)),
    },
    rejections: [...reasons]
      .map(([reason, count]) => ({ reason, count }))
      .sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1))
      .slice(0, MAX_REASONS),
    propagationMs: percentiles(propagation),
    converged: published !== null && isCurrent(node, published) && applied === live,
  };
}

function publishedView({ releases: _, ...view }: PublishedSnapshot): RolloutView['published'] {
  return view;
}

/** Those rows, of one state if it is named, that a page of the list holds. */
export function consumerPage(
  context: EngineContext,
  of: { readonly node: StatusNode; readonly consumers: ShardConsumers },
  query: PageQuery & { readonly state?: ConsumerState },
): Page<ConsumerView> {
  const { state } = query;
  const views = consumerViews(context, of.node, of.consumers);
  const wanted = views.filter((view) => state === undefined || view.state === state);
  return pageOf(wanted, query, sortKey);
}

/** One row per incarnation, by workload, consumer id, then age. */
function consumerViews(
  context: EngineContext,
  node: StatusNode,
  consumers: ShardConsumers,
): ConsumerView[] {
  return consumers
    .at(node.address.text)
    .map((incarnation) => consumerView(context, { node, consumers, incarnation }))
    .sort((a, b) => compareText(sortKey(a), sortKey(b)));
}

/** Orders and identifies a row; the cursor of lists. */
function sortKey(view: ConsumerView): string {
  return `${view.workload}/${view.consumerId}/${view.incarnation}`;
}

function consumerView(
  context: EngineContext,
  of: {
    readonly node: StatusNode;
    readonly consumers: ShardConsumers;
    readonly incarnation: Incarnation;
  },
): ConsumerView {
  const { node, consumers, incarnation } = of;
  const run = incarnation.runs.get(node.address.text) ?? emptyRun();
  const state = consumerState(consumers.isLive(incarnation), { incarnation, run }, node.published);
  const { workload, consumerId } = incarnation.ref;
  return {
    workload,
    consumerId,
    incarnation: incarnation.id,
    ...(incarnation.build === null ? {} : { build: incarnation.build }),
    labels: incarnation.labels,
    slot: incarnation.slot,
    version: run.version,
    highestVersion: run.highestVersion,
    state,
    ...(run.rejected === null ? {} : { reason: run.rejected.reason }),
    lastSeenAt: context.formatTime(incarnation.lastSeenWallMs),
    appliedAt: run.appliedAtMs === null ? null : context.formatTime(run.appliedAtMs),
    ...(run.cohort === STABLE_COHORT ? {} : { cohort: run.cohort }),
    ...(consumers.isDuplicate(incarnation) ? { duplicate: true as const } : {}),
  };
}

/** Whether what is published is the newest that was committed. */
function isCurrent(node: StatusNode, published: PublishedSnapshot): boolean {
  return !isHigher(node.head, published);
}

function percentiles(values: number[]): RolloutView['propagationMs'] {
  if (values.length === 0) return { p50: null, p95: null, p99: null, max: null };
  values.sort((a, b) => a - b);
  const at = (share: number): number =>
    values[Math.min(values.length - 1, Math.ceil(share * values.length) - 1)] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: values.at(-1) ?? 0 };
}

export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
