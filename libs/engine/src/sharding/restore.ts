import { done, refused } from '@pawl/contracts';
import type { AcceptedRestoreView, Outcome, RestoreView } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { FenceChecks } from './fence-checks.js';
import { truthUnavailable } from './refusals.js';
import { OutcomeUnknownError, TruthUnavailableError } from './truth-store.port.js';

/** What PostgreSQL lacks after it was restored from an older copy, and accepting that. On any node. */
export interface RestoreUseCases {
  status(): Promise<Outcome<RestoreView>>;
  /**
   * Accepts that PostgreSQL is the truth as it is. Every owner then loads anew and publishes all of it
   * under the next generation. Changes nothing when nothing is behind; may be repeated.
   */
  accept(by: {
    readonly actor: string;
    readonly reason: string;
  }): Promise<Outcome<AcceptedRestoreView>>;
}

export function restoreUseCases(
  context: Pick<EngineContext, 'truth' | 'clock' | 'formatTime' | 'log'>,
  fences: Pick<FenceChecks, 'checkNow'>,
): RestoreUseCases {
  const { truth } = context;
  return {
    status: () =>
      answered(async () => {
        const { generation, shards } = await truth.readBehind();
        const sorted = [...shards].sort(([a], [b]) => a - b);
        return { generation, shards: sorted.map(([shard, behind]) => ({ shard, behind })) };
      }),
    accept: ({ actor, reason }) =>
      answered(async () => {
        const at = context.formatTime(context.clock.wallMs());
        const raised = await truth.acceptRestore({ author: actor, reason, at });
        const generation = raised ?? (await truth.installation()).generation;
        if (raised !== null) {
          context.log.warn('a restore was accepted: all is published anew', { generation, actor });
          // The other nodes find the generation at their next check.
          fences.checkNow();
        }
        return { accepted: raised !== null, generation };
      }),
  };
}

async function answered<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return done(await work());
  } catch (error) {
    if (error instanceof TruthUnavailableError) return truthUnavailable();
    if (!(error instanceof OutcomeUnknownError)) throw error;
    return refused(
      'outcome-unknown',
      'PostgreSQL went away meanwhile; look at `pawl restore status`, and ask again: what is accepted is not accepted twice',
    );
  }
}
