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
    const value = encodeMark(highest(mark, decodeMark(kv?.value)));
    const noted = await store.txn({
      compare: [{ key, target: 'mod', operator: '=', value: kv?.modRevision ?? 0 }],
      success: [{ kind: 'put', key, value, lease: NO_LEASE }],
      failure: [],
    });
    if (!noted.ok || noted.succeeded) return;
  }
}

function highest(own: ShardMark, noted: ShardMark | null): ShardMark {
  if (noted === null || own.generation > noted.generation) return own;
  if (own.generation < noted.generation) return noted;
  return {
    generation: own.generation,
    token: own.token > noted.token ? own.token : noted.token,
    commits: own.commits > noted.commits ? own.commits : noted.commits,
  };
}
