import { Encoder } from './codec.js';
import { crc32c } from './crc32c.js';
import type { KeyStore } from './key-store.js';
import { PinnedSteps } from './pinned-steps.js';
import { encodeKeyValue } from './result-codec.js';
import { stateAt } from './state-walk.js';
import type { KeyValue, Revision } from './types.js';

export interface HashKv {
  /** CRC-32C. */
  readonly hash: number;
  readonly revision: Revision;
  readonly compactRevision: Revision;
}

/**
 * Hashes the keys as they were when `compactRevision` was made, and all changes after it up to
 * `revision`: the same on every member that still has both, whatever else it has. Pauses after about
 * `budgetBytes` each.
 */
export function hashKvSteps(
  keys: KeyStore,
  at: { revision: Revision; compactRevision: Revision },
  budgetBytes: number,
): PinnedSteps<void, HashKv> {
  return new PinnedSteps(keys, hash(keys, at, budgetBytes));
}

function* hash(
  keys: KeyStore,
  { revision, compactRevision }: { revision: Revision; compactRevision: Revision },
  budgetBytes: number,
): Generator<void, HashKv> {
  const scratch = new Encoder(1024);
  let crc = 0;
  let bytes = 0;
  for (const kv of versions(keys, revision, compactRevision)) {
    if (kv !== null) {
      scratch.reset();
      encodeKeyValue(scratch, kv);
      crc = crc32c(crc, scratch.view());
      bytes += scratch.length;
    }
    if (kv !== null && bytes < budgetBytes) continue;
    bytes = 0;
    yield;
  }
  return { hash: crc, revision, compactRevision };
}

function* versions(
  keys: KeyStore,
  revision: Revision,
  compactRevision: Revision,
): Generator<KeyValue | null> {
  yield* stateAt(keys, compactRevision);
  for (let at = compactRevision + 1; at <= revision; at += 1) {
    for (const { kv } of keys.changes(at)) yield kv;
  }
}
