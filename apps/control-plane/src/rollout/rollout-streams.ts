import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { problem, type Address, type Problem } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import { CONFIG_ENGINE } from '../tokens.js';
import { RolloutFeed, type RolloutListener } from './rollout-feed.js';

/** Open event streams of one node; each holds a socket for as long as somebody looks at it. */
export const MAX_STREAMS = 1_000;

/** All event streams of this node, by address; ended together at shutdown. */
@Injectable()
export class RolloutStreams implements OnModuleDestroy {
  readonly #feeds = new Map<string, RolloutFeed>();
  #streams = 0;
  #closed = false;

  constructor(@Inject(CONFIG_ENGINE) private readonly engine: ConfigEngine) {}

  get open(): number {
    return this.#streams;
  }

  /**
   * Lets `listener` follow a rollout: it gets the state at once and each later one. Resolves with a
   * problem when it cannot; then it hears nothing. Whoever joined leaves with `leave`.
   */
  async join(address: Address, listener: RolloutListener): Promise<Problem | null> {
    if (this.#closed) return problem('no-owner', 'This node is shutting down; ask another.');
    if (this.#streams >= MAX_STREAMS) {
      return problem('too-many-requests', `${MAX_STREAMS} streams are open; try again later.`);
    }
    this.#streams += 1;
    const feed = this.#feedOf(address);
    feed.join(listener);
    const failed = await feed.ready;
    if (failed !== null) this.#streams -= 1;
    return failed;
  }

  leave(address: Address, listener: RolloutListener): void {
    this.#streams -= 1;
    this.#feeds.get(address.text)?.leave(listener);
  }

  onModuleDestroy(): void {
    this.#closed = true;
    for (const feed of [...this.#feeds.values()]) feed.close();
  }

  #feedOf(address: Address): RolloutFeed {
    const key = address.text;
    let feed = this.#feeds.get(key);
    if (feed === undefined) {
      feed = new RolloutFeed(this.engine, address, () => this.#feeds.delete(key));
      this.#feeds.set(key, feed);
    }
    return feed;
  }
}
