import type { MetadataStore } from '../metadata-store.port.js';
import type { Revision } from '../state/index.js';

/**
 * The compaction revision of a store that does not tell it, found by asking which revisions can be
 * read: few questions where it is near `known`, which it was before (0: not known, or none); about
 * two for each bit of the distance otherwise. 0 while nothing was compacted, and when it is 1: the
 * store tells the same then, for its first change has revision 2.
 */
export async function findCompactRevision(
  store: Pick<MetadataStore, 'range'>,
  known: Revision,
): Promise<Revision> {
  let gone = Math.max(known, 1) - 1;
  let kept = Math.max(known, 1);
  while (!(await isKept(store, kept))) {
    const step = 2 * (kept - gone);
    gone = kept;
    kept += step;
  }
  while (kept - gone > 1) {
    const middle = Math.floor((gone + kept) / 2);
    if (await isKept(store, middle)) kept = middle;
    else gone = middle;
  }
  return kept === 1 ? 0 : kept;
}

/** A revision that is yet to come counts as kept: it is above the compaction revision. */
async function isKept(store: Pick<MetadataStore, 'range'>, revision: Revision): Promise<boolean> {
  const result = await store.range({ key: Uint8Array.of(0), revision, countOnly: true });
  return result.ok || result.refusal !== 'compacted';
}
