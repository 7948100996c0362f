import type { TimerHandle } from '@pawl/kernel';
import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from '../sharding/owned-shard.js';
import type { ShardRegistry } from '../sharding/shard-registry.js';
import type { Journal } from './run-journal.js';
import { FencedError } from '../sharding/truth-store.port.js';

const SAVE_EVERY_MS = 1_000;
const RECORDS_PER_SAVE = 500;
const RUNS_PER_SAVE = 2_000;

/** Saves the status projection of every served shard once a second; what fails is heard again. */
export class StatusSaver {
  #timer: TimerHandle | undefined;
  #saving: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    private readonly context: EngineContext,
    private readonly shards: ShardRegistry,
  ) {}

  start(): void {
    this.#timer = this.context.timer.after(SAVE_EVERY_MS, () => {
      this.#saving = this.#saveAll().finally(() => {
        if (!this.#stopped) this.start();
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#saving;
    await this.#saveAll();
  }

  async #saveAll(): Promise<void> {
    for (const shard of this.shards.served()) await this.#save(shard);
  }

  async #save(shard: OwnedShard): Promise<void> {
    try {
      const journal = shard.consumers.journal.take();
      const records = shard.consumers.takeDirty();
      // Records tell that what they ran was saved, so that comes first.
      await this.#saveRuns(shard, journal);
      for (let from = 0; from < records.length; from += RECORDS_PER_SAVE) {
        await this.context.status.save(shard, records.slice(from, from + RECORDS_PER_SAVE));
      }
    } catch (error) {
      if (error instanceof FencedError) this.shards.refusedByFence(shard);
      else this.context.log.warn('could not save consumers’ status', { error: String(error) });
    }
  }

  async #saveRuns(shard: OwnedShard, { runs, published }: Journal): Promise<void> {
    for (let from = 0; from === 0 || from < runs.length; from += RUNS_PER_SAVE) {
      const part = runs.slice(from, from + RUNS_PER_SAVE);
      const newest = from === 0 ? published : [];
      if (part.length === 0 && newest.length === 0) return;
      try {
        await this.context.status.saveRuns(shard, part, newest);
      } catch (error) {
        shard.consumers.journal.putBack({ runs: runs.slice(from), published: newest });
        throw error;
      }
    }
  }
}
