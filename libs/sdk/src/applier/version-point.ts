import { cohortHeld } from '@pawl/contracts';
import type { SnapshotName } from './last-known-good.js';

/** Where a snapshot stands in its address's history: by generation, then by version. */
export interface VersionPoint {
  readonly generation: number;
  readonly version: number;
}

/** Whether `a` is newer than `b`; anything is newer than nothing. */
export function isNewer(a: VersionPoint, b: VersionPoint | null): boolean {
  if (b === null) return true;
  return a.generation === b.generation ? a.version > b.version : a.generation > b.generation;
}

/** Whether two points and hashes are of one snapshot. */
export function isTwin(
  a: VersionPoint & { readonly hash: string },
  b: VersionPoint & { readonly hash: string },
): boolean {
  return a.generation === b.generation && a.version === b.version && a.hash === b.hash;
}

/** Whether what runs may move there: to a newer snapshot, or the same one as another cohort. */
export function isForward(head: SnapshotName, before: SnapshotName | null): boolean {
  if (before === null || isNewer(head, before)) return true;
  return isTwin(head, before) && !isSameName(head, before);
}

/** Whether it is the same snapshot, run as the same cohort. */
export function isSameName(a: SnapshotName, b: SnapshotName): boolean {
  return isTwin(a, b) && cohortHeld(a) === cohortHeld(b);
}

/** The newer of two points; the first when they are equal. */
export function newest<A extends VersionPoint | null, B extends VersionPoint | null>(
  a: A,
  b: B,
): A | B {
  if (a === null) return b;
  if (b === null) return a;
  return isNewer(b, a) ? b : a;
}
