import { done, refused } from '@pawl/contracts';
import type { AcceptedRestoreView, Outcome, RestoreView } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { FenceChecks } from './fence-checks.js';
import { truthUnavailable } from './refusals.js';
import { OutcomeUnknownError, TruthUnavailableError } from './truth-store.port.js';
import type { BehindReading } from './truth-store.port.js';
import type { ShardRegistry } from './shard-registry.js';

/** What PostgreSQL lacks after it was restored from an older copy, and accepting that. On any node. */
export interface RestoreUseCases {
  status(): Promise<Outcome<RestoreView>>;
  /**
   * Accepts that PostgreSQL is the truth as it is. Every owner then loads anew and publishes all of it
   * under the next generation. Changes nothing when nothing is behind, or it is another by now than what
   * was looked at; may be repeated.
   */
  accept(by: {
    readonly actor: string;
    readonly reason: string;
    /** What {@link status} told: the generation, and the read-only shards. */
    readonly seen: { readonly generation: number; readonly shards: readonly number[] };
  }): Promise<Outcome<AcceptedRestoreView>>;
}

export function restoreUseCases(
  context: Pick<EngineContext, 'truth' | 'clock' | 'formatTime' | 'log' | 'ownership'>,
  fences: Pick<FenceChecks, 'checkNow'>,
  shards: Pick<ShardRegistry, 'highestGeneration'>,
): RestoreUseCases {
  const { truth } = context;
  return {
    status: () =>
      answered(async () => {
        const { generation, shards } = await truth.readBehind();
        const sorted = [...shards].sort(([a], [b]) => a - b);
        return done({ generation, shards: sorted.map(([shard, behind]) => ({ shard, behind })) });
      }),
    accept: ({ actor, reason, seen }) =>
      answered<AcceptedRestoreView>(async () => {
        const lost = await truth.readBehind();
        if (lost.shards.size > 0) {
          // Without a quorum what this node knows has to do.
          const remembered = await context.ownership.rememberedGeneration().catch(() => 0);
          const served = Math.max(shards.highestGeneration, remembered);
          if (highestOf(lost) < served) return putBackAgain(lost, served);
        }
        const at = context.formatTime(context.clock.wallMs());
        const outcome = await truth.acceptRestore({ author: actor, reason, at, seen });
        if (outcome === 'not-as-seen') return notAsSeen(await truth.readBehind());
        if (outcome === 'nothing-behind') {
          const { generation } = await truth.installation();
          return done({ accepted: false, generation });
        }
        const { generation } = outcome;
        context.log.warn('a restore was accepted: all is published anew', { generation, actor });
        // The other nodes find the generation at their next check.
        fences.checkNow();
        return done({ accepted: true, generation });
      }),
  };
}

/** The highest generation that accepting would raise it above. */
function highestOf({ generation, shards }: BehindReading): number {
  const told = [...shards.values()].flatMap(({ remembered, addresses }) => [
    remembered?.generation ?? 0,
    ...addresses.map(({ held }) => held.generation),
  ]);
  return Math.max(generation, ...told);
}

/**
 * PostgreSQL was put back to before an earlier acceptance, and no owner has come to say so: accepted now,
 * that generation would be given a second time, for other contents.
 */
function putBackAgain({ generation }: BehindReading, served: number): Outcome<never> {
  return refused(
    'restore-changed',
    `PostgreSQL was put back again: it is at generation ${generation}, and generation ${served} was served already; nothing was changed. What that lost is being found: look at \`pawl restore status\` again in a moment`,
  );
}

function notAsSeen({ generation, shards }: BehindReading): Outcome<never> {
  const numbers = [...shards.keys()].sort((a, b) => a - b);
  return refused(
    'restore-changed',
    `what is lost is another by now than what was looked at: generation ${generation}, read-only shards ${numbers.join(', ') || '(none)'}; nothing was changed. Look at \`pawl restore status\` again`,
  );
}

async function answered<T>(work: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TruthUnavailableError) return truthUnavailable();
    if (!(error instanceof OutcomeUnknownError)) throw error;
    return refused(
      'outcome-unknown',
      'PostgreSQL went away meanwhile; look at `pawl restore status`, and ask again: what is accepted is not accepted twice',
    );
  }
}
