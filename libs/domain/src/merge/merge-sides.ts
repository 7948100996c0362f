import type { Maybe } from './json-tree.js';

/** What the three have at one place. */
export interface Sides {
  readonly base: Maybe;
  readonly theirs: Maybe;
  readonly ours: Maybe;
}

/** Keys on the way from the root, the last one first; `null`: the root. */
export interface Place {
  readonly above: Place | null;
  readonly key: string;
}
