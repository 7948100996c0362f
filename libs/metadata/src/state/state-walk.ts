import type { KeyStore } from './key-store.js';
import type { KeyValue, Revision } from './types.js';

/** Records looked at in one go. */
const STRIDE = 512;

/**
 * The keys as they were at a revision that is kept, in order; for readers that pause between. Null
 * tells that so many records were looked at that a pause may be due. The caller has the store pinned.
 */
export function* stateAt(keys: KeyStore, revision: Revision): Generator<KeyValue | null> {
  let from = '';
  for (;;) {
    const records = keys.records(from, STRIDE);
    for (const record of records) {
      const kv = record.at(revision);
      if (kv !== null) yield kv;
    }
    const last = records.at(-1);
    if (last === undefined || records.length < STRIDE) return;
    from = `${last.id}\0`;
    yield null;
  }
}
