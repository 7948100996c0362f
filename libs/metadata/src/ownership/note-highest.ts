import { highestMark } from '@pawl/engine';
import type { ShardMark } from '@pawl/engine';
import type { MetadataStore } from '../metadata-store.port.js';
import { NO_LEASE } from '../state/index.js';
import { decodeMark, encodeMark, markKey } from './shard-mark.js';

/** How often it is tried when somebody else notes the same shard at once. */
const ATTEMPTS = 3;

/**
 * Has the quorum remember how far a shard had come under a claim that is gone: each part of whichever is
 * higher, since the next owner may have noted more. Rejects when the store does not answer.
 */
export async function noteHighest(
  store: MetadataStore,
  shard: number,
  mark: ShardMark,
): Promise<void> {
  const key = markKey(shard);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const found = await store.range({ key });
    if (!found.ok) return;
    const [kv] = found.kvs;
    const value = encodeMark(highestMark(mark, decodeMark(kv?.value)));
    const noted = await store.txn({
      compare: [{ key, target: 'mod', operator: '=', value: kv?.modRevision ?? 0 }],
      success: [{ kind: 'put', key, value, lease: NO_LEASE }],
      failure: [],
    });
    if (!noted.ok || noted.succeeded) return;
  }
}
