import { assert } from '@pawl/kernel';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { MetadataStore } from '../metadata-store.port.js';
import { NO_LEASE } from '../state/index.js';
import { bytesToText, textToBytes } from '../text.js';
import { EPOCH_KEY, INSTALLATION_KEY, isEpoch } from './ownership-keys.js';
import { ALL_MARKS } from './shard-mark.js';

/**
 * Raises the metadata epoch by one and answers the new one: fencing tokens given from then on are
 * above all of the epoch before. In the same step forgets whose metadata it is, and how far its shards
 * had come; the next start records the installation that PostgreSQL holds then. For a store that replaces a lost one, and for one whose
 * PostgreSQL is lost.
 */
export async function raiseEpoch(store: MetadataStore): Promise<number> {
  const found = await store.range({ key: EPOCH_KEY });
  const held = found.ok ? found.kvs[0] : undefined;
  const current = held === undefined ? '1' : bytesToText(held.value);
  const next = String(Number(current) + 1);
  assert(isEpoch(current) && isEpoch(next), 'an epoch is 1 to 32,767');
  const raised = await store.txn({
    compare: [
      {
        key: EPOCH_KEY,
        target: 'mod',
        operator: '=',
        value: held?.modRevision ?? 0,
      },
    ],
    success: [
      { kind: 'put', key: EPOCH_KEY, value: textToBytes(next), lease: NO_LEASE },
      { kind: 'delete', key: INSTALLATION_KEY },
      { kind: 'delete', ...ALL_MARKS },
    ],
    failure: [],
  });
  if (!raised.ok || !raised.succeeded) {
    throw new MetadataUnavailableError('raising the epoch: somebody else changed it', 'no');
  }
  return Number(next);
}
