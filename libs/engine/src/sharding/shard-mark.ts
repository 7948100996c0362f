/**
 * How far a shard's truth had come, as an owner knew it. Remembered by the metadata quorum, it tells of
 * a PostgreSQL that has lost something: a restored copy, a standby that lagged.
 */
export interface ShardMark {
  /** Of the installation; a higher one resets the others. */
  readonly generation: number;
  /**
   * Fencing token under which commits were last counted, as far as the owner knows (0: it does not). One
   * that served and committed nothing leaves nothing that could be lost.
   */
  readonly token: bigint;
  /** Transactions that committed changesets of the shard, ever. */
  readonly commits: bigint;
}

/** Of two marks of one shard: that of the higher generation; within one, each part of whichever is higher. */
export function highestMark(one: ShardMark, other: ShardMark | null): ShardMark {
  if (other === null || one.generation > other.generation) return one;
  if (one.generation < other.generation) return other;
  return {
    generation: one.generation,
    token: one.token > other.token ? one.token : other.token,
    commits: one.commits > other.commits ? one.commits : other.commits,
  };
}
