import { murmur3 } from './murmur3.js';

/**
 * The shard, 0 to `shards` - 1, that a root and everything under it lives in. Fixed for the life of
 * an installation: the share of the hash's range, `floor(murmur3(root, 0) × shards / 2^32)`.
 */
export function shardOf(root: string, shards: number): number {
  return Math.floor((murmur3(root, 0) * shards) / 2 ** 32);
}
