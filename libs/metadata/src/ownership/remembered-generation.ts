import type { MetadataStore } from '../metadata-store.port.js';
import { ALL_MARKS, decodeMark } from './shard-mark.js';

/** The highest generation that is remembered of any shard; 0: of none. Rejects when the store does not answer. */
export async function rememberedGeneration(store: MetadataStore): Promise<number> {
  const found = await store.range(ALL_MARKS);
  if (!found.ok) throw new Error(`reading what is remembered of shards: ${found.refusal}`);
  return Math.max(0, ...found.kvs.map(({ value }) => decodeMark(value)?.generation ?? 0));
}
