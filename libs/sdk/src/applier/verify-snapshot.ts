import { provesItsHash, snapshotHash, STABLE_COHORT } from '@pawl/contracts';
import type { HeldSnapshot, JsonObject, Sha256, Snapshot, SnapshotVariant } from '@pawl/contracts';
import { messageOf } from '../errors.js';
import { adoptInline } from './decode-content.js';
import type { DecodedContent } from './decode-content.js';

/** What is held of a snapshot to judge the next. */
export function headOf(snapshot: Snapshot): HeldSnapshot {
  const { installation, generation, version, hash, inputs } = snapshot;
  return { installation, generation, version, hash, inputs };
}

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

/** The variant that this consumer is to run; `undefined` when the snapshot has none for it. */
export function variantOf(snapshot: Snapshot): SnapshotVariant | undefined {
  return Object.hasOwn(snapshot.variants, STABLE_COHORT)
    ? snapshot.variants[STABLE_COHORT]
    : undefined;
}

/** The verified, frozen document that travels inside a snapshot's variant. */
export function inlineOf(
  variant: SnapshotVariant & { readonly inline: object },
  sha256: Sha256,
): DecodedContent {
  return adoptInline(variant.inline as JsonObject, variant, sha256);
}
