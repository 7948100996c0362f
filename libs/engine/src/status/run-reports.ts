import { isHigher, STABLE_COHORT } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { PublishedSnapshot } from '../sharding/root-tree.js';
import type { Rejection, Run } from './incarnation.js';
import type { ConsumerRunRecord } from './status-store.port.js';

/** As which cohort a heartbeat without room to say so runs a version: as it was known to. */
export function cohortKnown(
  known: Run,
  run: { readonly generation: number; readonly version: number },
): string {
  const isSame = run.generation === known.generation && run.version === known.version;
  return isSame ? known.cohort : STABLE_COHORT;
}

/** Whether what was rejected runs now, as the same cohort, or something newer does. */
export function isAnswered(
  rejected: Rejection,
  item: { readonly generation: number; readonly version: number; readonly cohort: string },
): boolean {
  if (isHigher(rejected, item)) return false;
  return isHigher(item, rejected) || (rejected.cohort ?? item.cohort) === item.cohort;
}

/** What a consumer says that it rejected; a heartbeat may not say as which cohort. */
export type Reported = Omit<Rejection, 'cohort'> & { readonly cohort?: string };

/** Notes a rejection; answers whether it says anything new. */
export function reject(run: Run, rejected: Reported): boolean {
  const { generation, version, reason } = rejected;
  const known = run.rejected;
  const isKnown = known?.generation === generation && known.version === version;
  const cohort = rejected.cohort ?? (isKnown ? known.cohort : null);
  if (isHigher(run, rejected)) return false;
  if (!isHigher(rejected, run) && cohort === run.cohort) return false;
  if (known !== null && isHigher(known, rejected)) return false;
  // A heartbeat repeats what an ack has told, cut short.
  if (isKnown && known.cohort === cohort && known.reason.length >= reason.length) return false;
  run.rejected = { generation, version, cohort, reason };
  return true;
}

/** Whether it is the published version, with another hash. */
export function isOtherContent(
  item: { readonly generation: number; readonly version: number; readonly hash: string | null },
  published: PublishedSnapshot | null,
): boolean {
  if (published === null || item.hash === null || item.hash === published.hash) return false;
  return item.generation === published.generation && item.version === published.version;
}

/** Puts a run back as it was saved. */
export function restoreRun(
  run: Run,
  stored: ConsumerRunRecord,
  { parseTime }: Pick<EngineContext, 'parseTime'>,
): void {
  run.generation = stored.generation;
  run.version = stored.version;
  run.cohort = stored.cohort ?? STABLE_COHORT;
  run.highestVersion = stored.highestVersion;
  run.appliedAtMs = stored.appliedAt === null ? null : parseTime(stored.appliedAt);
  run.propagationMs = stored.propagationMs;
  if (stored.rejectedVersion === null) return;
  const { generation, rejectedVersion: version, rejectedCohort, reason } = stored;
  const cohort = rejectedCohort === undefined ? STABLE_COHORT : rejectedCohort;
  run.rejected = { generation, version, cohort, reason: reason ?? '' };
}
