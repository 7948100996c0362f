import { LIMITS } from '@pawl/contracts';
import type { SweepKind } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from '../sharding/owned-shard.js';
import { forgetOpened } from './forget-opened.js';
import type { SweepParts } from './forget-opened.js';

const HOUR_MS = 3_600_000;
/** How long an idempotency key is remembered. */
export const IDEMPOTENCY_MS = 24 * HOUR_MS;
/**
 * How long the key of what a node sent on is remembered: far longer than it tries, and no longer, since
 * each such request leaves one.
 */
export const ROUTED_IDEMPOTENCY_MS = 10 * 60_000;
/** How long a silent consumer's row is kept. */
export const CONSUMER_MS = 7 * 24 * HOUR_MS;
/** For how long it is kept what consumers ran. */
export const RUNS_MS = 7 * 24 * HOUR_MS;
/** Records of what consumers ran that are kept of one address: 10,000 that apply 50 versions. */
const MOST_RUNS = 500_000;
/** How old an unreferenced content is before it is collected. */
export const CONTENT_MS = 24 * HOUR_MS;

/** Removes what has expired in one shard; answers how many things went. */
export async function sweepShard(
  context: EngineContext,
  parts: SweepParts,
  shard: OwnedShard,
  kind: SweepKind,
): Promise<number> {
  const before = (ageMs: number): string => context.formatTime(context.clock.wallMs() - ageMs);
  switch (kind) {
    case 'idempotency':
      return context.truth.sweepIdempotency(shard, {
        allMs: IDEMPOTENCY_MS,
        routedMs: ROUTED_IDEMPOTENCY_MS,
      });
    case 'consumers': {
      shard.consumers.sweep(CONSUMER_MS);
      const records = await context.status.sweep(shard, before(CONSUMER_MS));
      const runs = await context.status.sweepRuns(shard, before(RUNS_MS), MOST_RUNS);
      const removed = records + runs;
      if (shard.behind !== null) return removed;
      return removed + (await forgetOpened(context, parts, shard, CONSUMER_MS));
    }
    case 'contents':
      // What consumers were given and PostgreSQL lacks is named by nothing that is known here.
      return shard.behind === null ? collectContents(context, parts, shard) : 0;
  }
}

async function collectContents(
  context: EngineContext,
  { fences }: SweepParts,
  shard: OwnedShard,
): Promise<number> {
  const isOwner = async (): Promise<boolean> => (await fences.unsure(shard)) === undefined;
  let removed = 0;
  for (const root of [...shard.roots.values()]) {
    const nodes = root.tree.all();
    const settled = nodes.every((node) => node.published?.hash === node.head.hash);
    if (!settled) continue;
    const referenced = new Set(
      nodes
        .flatMap(({ head }) => [head.variant, ...Object.values(head.cohorts)])
        .filter(({ size }) => size > LIMITS.inlineBytes)
        .map(({ hash }) => hash),
    );
    const collection = { referenced, olderThanMs: CONTENT_MS, isOwner };
    removed += await context.publisher.collectContents(root.name, collection);
  }
  return removed;
}
