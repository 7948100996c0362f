import { refused } from '@pawl/contracts';
import type { BehindAddress, Outcome, TruthBehind } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { OwnedShard } from './owned-shard.js';
import { noOwner } from './refusals.js';
import { FencedError } from './truth-store.port.js';

/** Addresses that are named for one shard. */
const MAX_ADDRESSES = 100;

/** First and longest pause before what was found is written down again, milliseconds. */
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;

/** The shard is read-only, since PostgreSQL lacks what was seen elsewhere. Nothing was written. */
export class TruthBehindError extends Error {
  override readonly name = 'TruthBehindError';
}

/**
 * Makes shards read-only whose truth lacks what JetStream holds. Nothing is published before its commit
 * is known, so JetStream never holds more than PostgreSQL had: what is missing was lost, unless somebody
 * else owns the shard by now and has published it. So it is told once PostgreSQL has taken it under the
 * fence.
 */
export class BehindShards {
  readonly #saving = new Map<OwnedShard, Promise<void>>();
  readonly #waiting = new Set<OwnedShard>();

  constructor(
    private readonly context: EngineContext,
    /** The fence is not this owner's. */
    private readonly refused: (shard: OwnedShard) => void,
  ) {}

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
   * Nothing is written from now on; resolves once PostgreSQL knows, so that every later owner does, or
   * did not take it and is asked again until it does, refuses, or the shard is lost. Rejects with
   * `FencedError` when the shard is not this owner's. What comes while it is written down goes together.
   */
  async found(shard: OwnedShard, address: BehindAddress): Promise<void> {
    const known = shard.behind ?? { since: this.#now(), addresses: [] };
    const others = known.addresses.filter((each) => each.address !== address.address);
    if (others.length >= MAX_ADDRESSES) return;
    shard.behind = { ...known, addresses: [...others, address] };
    if (this.#waiting.has(shard)) return;
    let saving = this.#saving.get(shard);
    if (saving === undefined) {
      saving = this.#trySave(shard, RETRY_MIN_MS).finally(() => this.#saving.delete(shard));
      this.#saving.set(shard, saving);
    }
    await saving;
  }

  async #trySave(shard: OwnedShard, delayMs: number): Promise<void> {
    try {
      await this.#save(shard);
    } catch (error) {
      if (error instanceof FencedError) throw error;
      this.context.log.warn('that PostgreSQL is behind could not be written down; tried again', {
        shard: shard.shard,
        error: String(error),
        inMs: delayMs,
      });
      this.#saveLater(shard, delayMs);
    }
  }

  #saveLater(shard: OwnedShard, delayMs: number): void {
    this.#waiting.add(shard);
    this.context.timer.after(delayMs, () => {
      this.#waiting.delete(shard);
      if (!shard.loaded) return;
      const saving = this.#trySave(shard, Math.min(delayMs * 2, RETRY_MAX_MS))
        .catch(() => this.refused(shard))
        .finally(() => this.#saving.delete(shard));
      this.#saving.set(shard, saving);
    });
  }

  async #save(shard: OwnedShard): Promise<void> {
    for (let saved: readonly BehindAddress[] = []; saved !== shard.behind?.addresses;) {
      saved = shard.behind?.addresses ?? [];
      await this.context.truth.declareBehind(shard, shard.generation, saved);
    }
    if (shard.behindIsSaved) return;
    shard.behindIsSaved = true;
    this.tell(shard);
  }

  #now(): string {
    return this.context.formatTime(this.context.clock.wallMs());
  }
}

/** Why nothing can be written to this shard; `undefined`: it can. */
export function readOnly({ behind, behindIsSaved }: OwnedShard): Outcome<never> | undefined {
  if (behind === null) return undefined;
  // Somebody else may own it, and have published what this owner does not know.
  return behindIsSaved ? truthBehind(behind) : noOwner();
}

/** Why nothing can be written to a read-only shard (null: not known here yet), and what ends it. */
export function truthBehind(behind: TruthBehind | null): Outcome<never> {
  return refused(
    'truth-behind',
    `this part of the configuration is read-only: ${missing(behind ?? { addresses: [] })}; nothing was written. \`pawl restore status\` tells all of it; restore a newer copy, or accept the loss with \`pawl restore accept\``,
  );
}

function missing({ remembered, addresses }: Omit<TruthBehind, 'since'>): string {
  const [first, ...others] = addresses;
  if (first !== undefined) {
    const { address, held, has } = first;
    const more =
      others.length === 0
        ? ''
        : ` and more at ${others.length} other ${others.length === 1 ? 'address' : 'addresses'}`;
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
