import { done, isHigher, refused, STABLE_COHORT } from '@pawl/contracts';
import type { Address, ConsumersThen, ConsumerThen, Outcome, PastState } from '@pawl/contracts';
import type { PastQuery } from '../config-engine.js';
import { badCursor } from '../config/read-definitions.js';
import type { EngineContext } from '../engine-context.js';
import { noOwner, truthUnavailable } from '../sharding/refusals.js';
import { TruthUnavailableError } from '../sharding/truth-store.port.js';
import type { RunsQuery, SavedPast, SavedRun, SavedStatusReader } from './saved-status.port.js';
import { silentAfterMs } from './heartbeats.js';
import { RUNS_MS } from './sweep-shard.js';

const PORTION = 1_000;
/** Portions that are read for one page at most: of a state that few are in, it may be short. */
const MAX_PORTIONS = 20;
const CURSOR = /^([^/]{1,128})\/([^/]{1,128})\/([^/]{1,600})$/;

/** What the consumers of an address ran at a time, as they said and it was saved; on any node. */
export async function consumersThen(
  context: EngineContext,
  address: Address,
  query: PastQuery,
): Promise<Outcome<ConsumersThen>> {
  const { savedStatus, clock, formatTime, parseTime } = context;
  if (savedStatus === undefined) return noOwner();
  const nowMs = clock.wallMs();
  const atMs = 'withinMs' in query ? nowMs - query.withinMs : parseTime(query.at);
  if (atMs > nowMs) return refused('malformed-request', `${formatTime(atMs)} is yet to come`);
  const after = cursorOf(query.cursor);
  if (after === undefined) return badCursor();
  try {
    if ((await savedStatus.head(address)) === undefined) {
      return refused('not-found', `${address.text} is not known, as far as was saved`);
    }
    const past = await savedStatus.past(address, formatTime(atMs));
    const sinceMs = Math.max(parseTime(past.since), nowMs - RUNS_MS);
    if (atMs < sinceMs) {
      const known = `what consumers of ${address.text} ran is known since ${formatTime(sinceMs)}`;
      return refused('not-found', `${known}, not of ${formatTime(atMs)}: ask for a later time`);
    }
    const page = await pageAt(savedStatus, { context, address, query, past, atMs, after });
    const published = past.published && publishedView(past.published);
    return done({ at: formatTime(atMs), knownSince: formatTime(sinceMs), published, ...page });
  } catch (error) {
    if (error instanceof TruthUnavailableError) return truthUnavailable();
    throw error;
  }
}

function publishedView({
  generation,
  version,
  at,
}: NonNullable<SavedPast['published']>): ConsumersThen['published'] {
  return { generation, version, at };
}

interface Asked {
  readonly context: EngineContext;
  readonly address: Address;
  readonly query: PastQuery;
  readonly past: SavedPast;
  readonly atMs: number;
  readonly after: RunsQuery['after'];
}

async function pageAt(
  reader: SavedStatusReader,
  { context, address, query, past, atMs, after: first }: Asked,
): Promise<Pick<ConsumersThen, 'items' | 'next'>> {
  const { limit, state, workload = null, consumerId = null } = query;
  const isWanted = (one: ConsumerThen): boolean =>
    state === undefined ? one.state !== 'left' || consumerId !== null : one.state === state;
  const items: ConsumerThen[] = [];
  let after = first;
  for (let portion = 0; portion < MAX_PORTIONS; portion += 1) {
    const at = context.formatTime(atMs);
    const of = { address: address.text, at, after, workload, consumerId, limit: PORTION };
    const runs = await reader.runsAt(of);
    for (const run of runs) {
      const item = itemOf(context, run, { past, atMs });
      if (!isWanted(item)) continue;
      const last = items.at(-1);
      if (items.length === limit && last !== undefined) return { items, next: nameOf(last) };
      items.push(item);
    }
    const last = runs.at(-1);
    if (runs.length < PORTION || last === undefined) return { items };
    after = [last.workload, last.consumerId, last.incarnation];
  }
  const [workloadRead, idRead, incarnationRead] = after;
  return {
    items,
    next: nameOf({ workload: workloadRead, consumerId: idRead, incarnation: incarnationRead }),
  };
}

function itemOf(
  context: EngineContext,
  run: SavedRun,
  of: { readonly past: SavedPast; readonly atMs: number },
): ConsumerThen {
  const { workload, consumerId, incarnation, generation, version, hash, cohort } = run;
  const { rejectedVersion, reason, at: since, lastSeenAt } = run;
  return {
    ...{ workload, consumerId, incarnation, state: stateOf(context, run, of), generation, version },
    ...(hash === null ? {} : { hash }),
    ...(cohort === STABLE_COHORT ? {} : { cohort }),
    ...(rejectedVersion === null
      ? {}
      : { rejected: { version: rejectedVersion, reason: reason ?? '' } }),
    ...{ since, lastSeenAt },
  };
}

/** One that has been heard since was there all the time: it is the same process. */
function stateOf(
  { settings, parseTime }: EngineContext,
  run: SavedRun,
  { past, atMs }: { readonly past: SavedPast; readonly atMs: number },
): PastState {
  if (run.left) return 'left';
  const patienceMs = silentAfterMs(settings.helloIntervalMs, past.reporting);
  const isSilent = run.lastSeenAt === null || parseTime(run.lastSeenAt) + patienceMs < atMs;
  if (isSilent && parseTime(run.at) + patienceMs < atMs) return 'stale';
  const { published } = past;
  if (published === null || isHigher(published, run)) {
    return published?.version === run.rejectedVersion ? 'rejected' : 'lagging';
  }
  return run.rejectedVersion === null ? 'applied' : 'rejected';
}

/** Orders and identifies an item; the cursor. */
function nameOf(of: Pick<ConsumerThen, 'workload' | 'consumerId' | 'incarnation'>): string {
  return `${of.workload}/${of.consumerId}/${encodeURIComponent(of.incarnation)}`;
}

/** `undefined`: it is none. */
function cursorOf(cursor: string | undefined): RunsQuery['after'] | undefined {
  if (cursor === undefined) return ['', '', ''];
  const [, workload, consumerId, incarnation] = CURSOR.exec(cursor) ?? [];
  if (workload === undefined || consumerId === undefined || incarnation === undefined) return;
  try {
    return [workload, consumerId, decodeURIComponent(incarnation)];
  } catch {
    return undefined;
  }
}
