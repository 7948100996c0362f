import { STABLE_COHORT } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { Incarnation } from './incarnation.js';
import type { ConsumerRecord } from './status-store.port.js';

/** An incarnation as it is saved. */
export function recordOf(
  incarnation: Incarnation,
  { formatTime }: Pick<EngineContext, 'formatTime'>,
): ConsumerRecord {
  return {
    ...incarnation.ref,
    incarnation: incarnation.id,
    build: incarnation.build,
    labels: incarnation.labels,
    slot: incarnation.slot,
    lastSeenAt: formatTime(incarnation.lastSeenWallMs),
    left: incarnation.left,
    runs: [...incarnation.runs].map(([address, run]) => ({
      address,
      generation: run.generation,
      version: run.version,
      highestVersion: run.highestVersion,
      appliedAt: run.appliedAtMs === null ? null : formatTime(run.appliedAtMs),
      rejectedVersion: run.rejected?.version ?? null,
      reason: run.rejected?.reason ?? null,
      propagationMs: run.propagationMs,
      noted: true as const,
      ...(run.cohort === STABLE_COHORT ? {} : { cohort: run.cohort }),
      ...(run.rejected === null || run.rejected.cohort === STABLE_COHORT
        ? {}
        : { rejectedCohort: run.rejected.cohort }),
    })),
  };
}
