import { assert } from '@pawl/kernel';
import type { FencingToken } from '@pawl/engine';

/** Revisions of one metadata cluster; at a million writes a second they last for nine years. */
const REVISION_BITS = 48n;

/**
 * Token of a claim: metadata epoch × 2^48 + the revision that created the claim. Grows with every
 * claim, since revisions do, and over a new metadata cluster, since its epoch is raised.
 */
export function fencingToken(epoch: string, createRevision: number): FencingToken {
  const revision = BigInt(createRevision);
  assert(revision >> REVISION_BITS === 0n, 'a revision has at most 48 bits');
  return ((BigInt(epoch) << REVISION_BITS) + revision) as FencingToken;
}
