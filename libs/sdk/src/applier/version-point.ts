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

/** The newer of two points; the first when they are equal. */
export function newest<A extends VersionPoint | null, B extends VersionPoint | null>(
  a: A,
  b: B,
): A | B {
  if (a === null) return b;
  if (b === null) return a;
  return isNewer(b, a) ? b : a;
}
