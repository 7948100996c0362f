import { provesItsHash, snapshotHash } from '@pawl/contracts';
import type { Sha256, Snapshot } from '@pawl/contracts';
import { messageOf } from '../errors.js';

/**
 * The hash that a snapshot should claim, or a text that no snapshot claims when it has none. `text` is
 * what it was parsed from, if that is at hand.
 */
export function hashOf(snapshot: Snapshot, text: string | undefined, sha256: Sha256): string {
  try {
    if (text !== undefined && provesItsHash(snapshot, text, sha256)) return snapshot.hash;
    return snapshotHash(snapshot, sha256);
  } catch (thrown) {
    return `nothing (${messageOf(thrown)})`;
  }
}
