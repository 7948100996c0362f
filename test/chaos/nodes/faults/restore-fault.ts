import { eventually } from '../../../support/eventually.js';
import { isAcknowledged } from '../traffic/call.js';
import { readTruth } from '../world/read-truth.js';
import {
  allShards,
  between,
  LEASE_TTL_MS,
  pick,
  someWrites,
  wait,
  type FaultContext,
  type NodesFault,
} from './fault.js';

const NOTICED_WITHIN_MS = 60_000;
const ANSWER_DEADLINE_MS = 10_000;

interface RestoreView {
  readonly generation: number;
  readonly shards: readonly { readonly shard: number }[];
}

/**
 * The faults that may lose acknowledged writes: those between the copy and its acceptance. Shards that
 * lost some must refuse writes until then, so that nobody sees two truths under one version.
 */
function olderCopy(
  name: string,
  does: string,
  replace: (context: FaultContext) => Promise<void>,
): NodesFault {
  return {
    name,
    does: `${does}, waits until what lost writes is read-only, and accepts the loss`,
    strike: async (context) => {
      const { world, traffic, rng } = context;
      const from = performance.now();
      await world.truth.keepCopy();
      await someWrites(context, 20);
      await wait(between(rng, 0, LEASE_TTL_MS));
      await replace(context);
      const replaced = performance.now();
      await eventually(async () => {
        const { shards } = (await ask(context, 'GET', '/v1/restore')) as RestoreView;
        if (shards.length === 0) throw new Error('nobody noticed that PostgreSQL lost writes');
      }, NOTICED_WITHIN_MS);
      // What lost writes without anybody's knowing yet is found by its owner's next check.
      await wait(LEASE_TTL_MS);
      await eventually(() => acceptSeen(context, replaced), NOTICED_WITHIN_MS);
      const until = performance.now();
      traffic.relearn(await readTruth(world.truth.url));
      return { shards: allShards(context), since: until, lost: { from, replaced, until } };
    },
  };
}

export const restoreCopy = olderCopy(
  'PostgreSQL restored from an older copy',
  'copies PostgreSQL, goes on, puts the copy in its place',
  ({ world }) => world.truth.restoreCopy(),
);

export const failOver = olderCopy(
  'PostgreSQL fails over to a standby that lagged',
  'copies PostgreSQL, goes on, starts the copy in its place as a standby, promotes it within a lease',
  ({ world, rng }) => world.truth.failOver(between(rng, 0, LEASE_TTL_MS)),
);

/**
 * Accepts what a node tells; what is found in between is told the next time. What is behind refuses until
 * then, and took nothing since the copy had taken PostgreSQL's place.
 */
async function acceptSeen(context: FaultContext, replaced: number): Promise<void> {
  const { generation, shards } = (await ask(context, 'GET', '/v1/restore')) as RestoreView;
  const behind = shards.map(({ shard }) => shard);
  await refuse(context, behind);
  tookNothing(context, behind, replaced);
  await ask(context, 'POST', '/v1/restore/accept', { reason: 'chaos', generation, shards: behind });
}

/** Each shard that is behind says so to whoever writes, through whichever node. */
async function refuse(context: FaultContext, behind: readonly number[]): Promise<void> {
  const { world, traffic, rng } = context;
  const request = { kind: 'put', expected: null, keyed: false } as const;
  for (const shard of behind) {
    const scope = world.scopes.find((one) => world.shardOf(one) === shard);
    if (scope === undefined) continue;
    const { outcome } = await traffic.once(rng, scope, request);
    if (outcome.kind === 'refused' && outcome.code === 'truth-behind') continue;
    throw new Error(`shard ${shard}, which is behind, answers ${JSON.stringify(outcome)}`);
  }
}

/** No write was acknowledged there that was asked for since the copy had taken PostgreSQL's place. */
function tookNothing(
  { world, traffic }: FaultContext,
  behind: readonly number[],
  since: number,
): void {
  const taken = traffic.calls.find(
    (call) =>
      call.calledAt > since && isAcknowledged(call) && behind.includes(world.shardOf(call.scope)),
  );
  if (taken !== undefined) {
    throw new Error(`a shard that is behind took a write: ${JSON.stringify(taken)}`);
  }
}

/** Asks a node by chance; throws unless it does what was asked. */
async function ask(
  { world, rng }: FaultContext,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const answer = await fetch(`${world.cluster.node(pick(rng, world.ids)).url}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
