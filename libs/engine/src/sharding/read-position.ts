import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from './owned-shard.js';
import type { ShardMark } from './shard-mark.js';
import { FencedError } from './truth-store.port.js';

/** Of which truth memory is going to be; before it is read, so that what comes after is refused. */
export async function readPosition(
  { truth }: Pick<EngineContext, 'truth'>,
  shard: OwnedShard,
  known: ShardMark | null,
): Promise<void> {
  const reading = await truth.readFences([shard.shard], { inTurn: true });
  shard.loadedFrom = reading.server;
  shard.generation = reading.generation;
  shard.committed = reading.commits.get(shard.shard) ?? 0n;
  if (known?.generation === reading.generation) shard.countedUnder = known.token;
  if (!reading.behind.has(shard.shard)) return;
  const why = (await truth.readBehind()).shards.get(shard.shard);
  // Accepted in between, so that the generation is another already.
  if (why === undefined) throw new FencedError(shard.shard, shard.token);
  shard.behind = why;
  shard.behindIsSaved = true;
}
