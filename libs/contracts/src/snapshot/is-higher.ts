/** A place in the order of an address's snapshots. */
export interface Versioned {
  readonly generation: number;
  readonly version: number;
}

/** Whether (generation, version) of `a` is above that of `b`. */
export function isHigher(a: Versioned, b: Versioned): boolean {
  return a.generation === b.generation ? a.version > b.version : a.generation > b.generation;
}
