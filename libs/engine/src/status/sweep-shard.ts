import { LIMITS } from '@pawl/contracts';
import type { Address } from '@pawl/contracts';
import type { SweepKind } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot, OwnedShard } from '../sharding/owned-shard.js';
import { NO_CHANGES } from '../sharding/run-command.js';
import type { CommandRunner } from '../sharding/run-command.js';

const HOUR_MS = 3_600_000;
/** How long an idempotency key is remembered. */
export const IDEMPOTENCY_MS = 24 * HOUR_MS;
/** How long a silent consumer's row is kept. */
export const CONSUMER_MS = 7 * 24 * HOUR_MS;
/** How old an unreferenced content is before it is collected. */
export const CONTENT_MS = 24 * HOUR_MS;

/** Removes what has expired in one shard; answers how many things went. */
export async function sweepShard(
  context: EngineContext,
  commands: CommandRunner,
  shard: OwnedShard,
  kind: SweepKind,
): Promise<number> {
  const before = (ageMs: number): string => context.formatTime(context.clock.wallMs() - ageMs);
  switch (kind) {
    case 'idempotency':
      return context.truth.sweepIdempotency(shard, before(IDEMPOTENCY_MS));
    case 'consumers': {
      shard.consumers.sweep(CONSUMER_MS);
      const removed = await context.status.sweep(shard, before(CONSUMER_MS));
      return removed + (await forgetOpened(context, commands, shard));
    }
    case 'contents':
      return collectContents(context, shard);
  }
}

/** Forgets addresses that were known only through consumers which are gone. */
async function forgetOpened(
  context: EngineContext,
  commands: CommandRunner,
  shard: OwnedShard,
): Promise<number> {
  let forgotten = 0;
  for (const root of [...shard.roots.values()]) {
    const beforeMs = context.clock.monotonicMs() - CONSUMER_MS;
    const candidates = root.tree
      .all()
      .filter((node) => node.opened && node.lastConsumerMs < beforeMs);
    for (const { address } of candidates) {
      if (!(await forget(commands, root, address))) continue;
      await context.publisher.remove(address);
      forgotten += 1;
    }
  }
  return forgotten;
}

async function forget(
  commands: CommandRunner,
  root: OwnedRoot,
  address: Address,
): Promise<boolean> {
  const options = {
    name: 'forget',
    address,
    mode: 'exclusive',
    context: { actor: 'sweep' },
  } as const;
  const outcome = await commands.run(options, async (current) => {
    const node = current.tree.get(address);
    const unused = node?.opened === true && root.shard.consumers.at(address.text).length === 0;
    return {
      ok: true,
      value: {
        status: 200,
        body: unused,
        changes: unused ? { ...NO_CHANGES, forgotten: [address.text] } : null,
        apply: () => {
          if (unused) current.tree.remove(address);
        },
      },
    };
  });
  return outcome.ok && outcome.value.body;
}

async function collectContents(context: EngineContext, shard: OwnedShard): Promise<number> {
  let removed = 0;
  for (const root of [...shard.roots.values()]) {
    const nodes = root.tree.all();
    const settled = nodes.every((node) => node.published?.hash === node.head.hash);
    if (!settled) continue;
    const referenced = new Set(
      nodes
        .filter((node) => node.head.variant.size > LIMITS.inlineBytes)
        .map((node) => node.head.variant.hash),
    );
    removed += await context.publisher.collectContents(root.name, referenced, CONTENT_MS);
  }
  return removed;
}
