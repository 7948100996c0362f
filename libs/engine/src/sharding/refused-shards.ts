import type { TimerHandle } from '@pawl/kernel';
import type { EngineContext } from '../engine-context.js';

/** What is refused within this time of the first is told together, milliseconds. */
const TOGETHER_MS = 1_000;

/** Warns once of the shards that PostgreSQL refuses at nearly the same time: often it is all of them. */
export class RefusedShards {
  readonly #shards = new Set<number>();
  #telling: TimerHandle | null = null;
  #stopped = false;

  constructor(private readonly context: Pick<EngineContext, 'log' | 'timer'>) {}

  add(shard: number): void {
    this.#shards.add(shard);
    if (this.#stopped) this.#tell();
    else this.#telling ??= this.context.timer.after(TOGETHER_MS, () => this.#tell());
  }

  /** From now on nothing waits to be told. */
  stop(): void {
    this.#stopped = true;
    this.#tell();
  }

  #tell(): void {
    this.#telling?.cancel();
    this.#telling = null;
    if (this.#shards.size === 0) return;
    const shards = [...this.#shards].sort((left, right) => left - right);
    this.#shards.clear();
    this.context.log.warn(
      'PostgreSQL refused this owner: the fence is another’s, or the shard was loaded from another truth or is read-only; it is claimed anew',
      { count: shards.length, shards },
    );
  }
}
