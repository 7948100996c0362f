import { refused } from '@pawl/contracts';
import type { BehindAddress, Outcome, TruthBehind } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from './owned-shard.js';

/** Addresses that are named for one shard. */
const MAX_ADDRESSES = 100;

/** The shard is read-only, since PostgreSQL lacks what was seen elsewhere. Nothing was written. */
export class TruthBehindError extends Error {
  override readonly name = 'TruthBehindError';
}

/**
 * Makes shards read-only whose truth lacks what JetStream holds. Nothing is published before its commit
 * is known, so JetStream never holds more than PostgreSQL had: what is missing was lost.
 */
export class BehindShards {
  readonly #saving = new Map<OwnedShard, Promise<void>>();

  constructor(private readonly context: EngineContext) {}

  /** A shard was claimed, or found, that is read-only. */
  tell(shard: OwnedShard): void {
    if (shard.behind === null) return;
    this.context.observer.incident('truth-behind');
    this.context.log.error(
      'PostgreSQL lacks what was seen elsewhere: the shard is read-only until a newer copy is restored, or `pawl restore accept`',
      { shard: shard.shard, behind: shard.behind },
    );
  }

  /**
   * Read-only from now on; resolves once PostgreSQL knows, so that every later owner does. Rejects with
   * `FencedError` when the shard is not this owner's. What comes while it is written down goes together.
   */
  async found(shard: OwnedShard, address: BehindAddress): Promise<void> {
    const isFirst = shard.behind === null;
    const known = shard.behind ?? { since: this.#now(), addresses: [] };
    const others = known.addresses.filter((each) => each.address !== address.address);
    if (others.length >= MAX_ADDRESSES) return;
    shard.behind = { ...known, addresses: [...others, address] };
    if (isFirst) this.tell(shard);
    let saving = this.#saving.get(shard);
    if (saving === undefined) {
      saving = this.#save(shard).finally(() => this.#saving.delete(shard));
      this.#saving.set(shard, saving);
    }
    await saving;
  }

  async #save(shard: OwnedShard): Promise<void> {
    for (let saved: readonly BehindAddress[] = []; saved !== shard.behind?.addresses;) {
      saved = shard.behind?.addresses ?? [];
      await this.context.truth.declareBehind(shard, shard.generation, saved);
    }
  }

  #now(): string {
    return this.context.formatTime(this.context.clock.wallMs());
  }
}

/** Why nothing can be written to a read-only shard, and what ends it. */
export function truthBehind(behind: TruthBehind): Outcome<never> {
  return refused(
    'truth-behind',
    `this part of the configuration is read-only: ${missing(behind)}; nothing was written. \`pawl restore status\` tells all of it; restore a newer copy, or accept the loss with \`pawl restore accept\``,
  );
}

function missing({ remembered, addresses }: TruthBehind): string {
  const [first, ...others] = addresses;
  if (first !== undefined) {
    const { address, held, has } = first;
    const more = others.length === 0 ? '' : ` and more at ${others.length} other addresses`;
    return `PostgreSQL has snapshot version ${versionText(has)} of ${address}, and consumers have been given ${versionText(held)}${more}`;
  }
  if (remembered === undefined) return 'PostgreSQL lacks what was seen elsewhere';
  const { has } = remembered;
  if (has.generation < remembered.generation) {
    return `PostgreSQL is at generation ${has.generation}, and was at ${remembered.generation}`;
  }
  if (has.commits < remembered.commits) {
    return `PostgreSQL has ${has.commits} commits of it, and had ${remembered.commits}`;
  }
  return `PostgreSQL has seen fencing token ${has.fencingToken} of it, and had seen ${remembered.fencingToken}`;
}

function versionText({ generation, version }: BehindAddress['held']): string {
  return `${version} (generation ${generation})`;
}
