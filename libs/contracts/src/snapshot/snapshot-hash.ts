import { canonicalize } from '../json/canonicalize.js';
import type { JsonValue } from '../json/json-value.js';
import type { Snapshot } from '../messages/snapshot.message.js';
import type { Sha256 } from '../sha256.js';

/** What differs between publications of one snapshot, or speaks about its hash. */
type Unhashed = 'fencingToken' | 'publishedAt' | 'hash' | 'signature';
const UNHASHED: ReadonlySet<string> = new Set<Unhashed>([
  'fencingToken',
  'publishedAt',
  'hash',
  'signature',
]);

/** A snapshot as far as its hash goes. */
export type HashedSnapshot = Omit<Snapshot, Unhashed>;

/**
 * SHA-256 of the canonical message without `fencingToken`, `publishedAt`, `hash` and `signature`.
 * Fields of later versions that this one does not know are covered too.
 */
export function snapshotHash(snapshot: HashedSnapshot & Partial<Snapshot>, sha256: Sha256): string {
  const covered = Object.entries(snapshot).filter(([key]) => !UNHASHED.has(key));
  return sha256(canonicalize(Object.fromEntries(covered) as Record<string, JsonValue>));
}
