import { FORMAT } from '@pawl/contracts';
import type { OwnerCommandClient } from '@pawl/distribution';
import {
  DistributionUnavailableError,
  NoOwnerError,
  type ShardOwnership,
  type SweepKind,
} from '@pawl/engine';
import type { Sweeper } from '@pawl/jobs';

/** How long the owner of one shard may take; contents are looked through one by one. */
const SHARD_DEADLINE_MS = 20_000;

/** Shards that one sweep could not reach. */
export interface SweepFailures {
  readonly kind: SweepKind;
  readonly shards: readonly number[];
  /** Of the first of them. */
  readonly error: unknown;
}

interface Parts {
  readonly ownership: Pick<ShardOwnership, 'map'>;
  readonly commands: Pick<OwnerCommandClient, 'send'>;
  /** Called at most once per sweep. */
  readonly onFailures: (failures: SweepFailures) => void;
}

/**
 * Asks the owner of every shard, one after the other. A shard that cannot be swept now does not hold
 * up the others: the next turn comes to it again. Without NATS nothing can be asked, and it rejects.
 */
export function sweepAllShards(parts: Parts): Sweeper {
  return {
    sweep: async (kind, signal) => {
      let removed = 0;
      const failed: { readonly shard: number; readonly error: unknown }[] = [];
      for (const { shard, token, serving } of parts.ownership.map()) {
        if (token === null || !serving) continue;
        signal.throwIfAborted();
        const result = await sweepOne({ shard, token }, kind, parts.commands);
        if (result.ok) removed += result.removed;
        else failed.push({ shard, error: result.error });
      }
      const [first] = failed;
      if (first !== undefined) {
        parts.onFailures({ kind, shards: failed.map(({ shard }) => shard), error: first.error });
      }
      return removed;
    },
  };
}

async function sweepOne(
  target: { readonly shard: number; readonly token: bigint },
  kind: SweepKind,
  commands: Parts['commands'],
): Promise<{ ok: true; removed: number } | { ok: false; error: unknown }> {
  try {
    const command = { format: FORMAT, kind: 'sweep', sweep: kind } as const;
    const reply = await commands.send(target, command, SHARD_DEADLINE_MS);
    if (!reply.ok) return { ok: false, error: reply.problem.detail };
    return { ok: true, removed: Number(reply.value) };
  } catch (error) {
    if (error instanceof DistributionUnavailableError) throw error;
    // It moves just now: nobody has to hear of that.
    if (error instanceof NoOwnerError) return { ok: true, removed: 0 };
    return { ok: false, error };
  }
}
