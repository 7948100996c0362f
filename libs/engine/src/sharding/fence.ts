import type { Brand } from '@pawl/kernel';

/** Grows with every new owner of a shard: metadata epoch × 2^48 + create revision of the claim. */
export type FencingToken = Brand<bigint, 'FencingToken'>;

/** The right to write for one shard, good for as long as PostgreSQL has seen no higher token. */
export interface Fence {
  readonly shard: number;
  readonly token: FencingToken;
}
