import type { Fence, FencingToken } from './fence.js';
import type { OwnedShard } from './owned-shard.js';
import { highestMark } from './shard-mark.js';
import type { ShardMark } from './shard-mark.js';

/**
 * How far each shard's truth had come when this process last owned it. Unlike what the quorum remembers
 * it is never late; a PostgreSQL that is behind it has lost something.
 */
export class ShardMarks {
  /** The highest generation that was ever remembered elsewhere. */
  #remembered = 0;
  readonly #marks = new Map<number, { readonly served: FencingToken; readonly mark: ShardMark }>();

  /**
   * Taken down while the shard is served, and for what is still committed when it is given away; not
   * while it is read-only, which says that there was more.
   */
  note({ shard, token, generation, committed, countedUnder, behind, loaded }: OwnedShard): void {
    if (behind !== null || !(loaded || this.#marks.get(shard)?.served === token)) return;
    const mark = { generation, token: countedUnder, commits: committed };
    this.#marks.set(shard, { served: token, mark });
  }

  /** The highest generation under which any shard is known to have been served; 0: none is. */
  get generation(): number {
    const own = [...this.#marks.values()].map(({ mark }) => mark.generation);
    return Math.max(this.#remembered, ...own);
  }

  /** As noted last, if that was under this very fence. */
  under({ shard, token }: Fence): ShardMark | undefined {
    const known = this.#marks.get(shard);
    return known?.served === token ? known.mark : undefined;
  }

  /** What was noted here and what is remembered elsewhere, each part of whichever is higher. */
  highest(shard: number, remembered: ShardMark | null): ShardMark | null {
    this.#remembered = Math.max(this.#remembered, remembered?.generation ?? 0);
    const own = this.#marks.get(shard)?.mark;
    return own === undefined ? remembered : highestMark(own, remembered);
  }
}
