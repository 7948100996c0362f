import { cohortKey, STABLE_COHORT } from '@pawl/contracts';

/** The consumers that are candidates of just these releases. */
export interface Cohort {
  /** Their ids, sorted, joined by `+`; empty for the stable cohort. */
  readonly key: string;
  readonly releases: ReadonlySet<string>;
}

/** A cohort for every set of these releases; that of none, the stable one, first. */
export function cohortsOf(releases: readonly string[]): readonly Cohort[] {
  let sets: string[][] = [[]];
  for (const id of releases) sets = [...sets, ...sets.map((set) => [...set, id])];
  return sets.map(cohortOfIds);
}

/** The cohort that its consumers are in where these are the releases under way. */
export function cohortAmong(cohort: Cohort, releases: readonly string[]): Cohort {
  return cohortOfIds(releases.filter((id) => cohort.releases.has(id)));
}

/** The releases that the key of a cohort names. */
export function releasesOf(key: string): readonly string[] {
  return key === STABLE_COHORT ? [] : key.split('+');
}

function cohortOfIds(ids: readonly string[]): Cohort {
  return { key: cohortKey(ids.map((id) => ({ id }))), releases: new Set(ids) };
}
