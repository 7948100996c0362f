import type { Timer, TimerHandle } from '@pawl/kernel';
import type { EngineLog, Fence, ShardHost, ShardMark } from '@pawl/engine';
import type { MetadataStore } from '../metadata-store.port.js';
import type { Revision } from '../state/index.js';
import { claimShard, claimStands, giveClaimBack, markServed } from './claim-shard.js';
import type { Claimant, MadeClaim } from './claim-shard.js';
import { fencingToken } from './fencing-token.js';
import type { MarkNote } from './mark-notes.js';
import type { HandOvers } from './hand-overs.js';
import { noteHighest } from './note-highest.js';
import type { NodeSession } from './node-session.js';

/** What is known of a shard's claim, as of a revision. */
export interface SeenOfShard {
  readonly asOf: Revision;
  /** Create revision of the claim; null: there is none. */
  readonly claim: Revision | null;
  /** Whether it is of this incarnation. */
  readonly own: boolean;
}

/** What a slot asks about the world around it; the answers may change whenever it is woken. */
export interface SlotSurroundings {
  readonly store: MetadataStore;
  readonly timer: Timer;
  readonly host: ShardHost;
  readonly log: EngineLog;
  /** Null while this node is no member. */
  claimant(): Claimant | null;
  /** Whether this node should own the shard. */
  wanted(shard: number): boolean;
  seen(shard: number): SeenOfShard;
  /** RFC 3339 in UTC. */
  now(): string;
  readonly handOvers: HandOvers;
  /** Whether the store was told now and then of this very mark. */
  isNoted(shard: number, mark: ShardMark): boolean;
  /** A claim was made, and the host serves the shard, or cannot. */
  claimed(shard: number, serves: boolean): void;
  sessionEnded(session: NodeSession): void;
  /** A slot has done what there was to do. */
  rested(): void;
}

/** A claim that this node holds, and the fence that it gave its host. */
interface Held extends MadeClaim {
  readonly fence: Fence;
  readonly claimant: Claimant;
  /** When the host began to serve it, RFC 3339. */
  readonly servedAt: string;
  /** Whether the store knows that it is served. */
  announced: boolean;
}

/** A claim of ours that must be given back, and how far the shard had come under it, where known. */
interface LeftOver {
  readonly createRevision: Revision;
  readonly mark: ShardMark | undefined;
}

type Step = 'claim' | 'announce' | 'drop' | 'recheck' | 'hand-over' | 'give-back' | 'idle';

const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 5000;

/**
 * One shard on this node: claims it when it is wanted, tells the host, drops it when the claim is
 * gone. It does one thing at a time, so the host is never called twice at once for one shard.
 */
export class ShardSlot {
  readonly #around: SlotSurroundings;
  #held: Held | null = null;
  /** A claim of ours that the host does not serve: it must go before the shard is claimed anew. */
  #leftOver: LeftOver | null = null;
  /** At this revision somebody else held the claim. */
  #heldAsOf: Revision = 0;
  #recheck = false;
  #stopping = false;
  #running: Promise<void> | null = null;
  #failures = 0;
  #backOff: TimerHandle | null = null;
  #triedOnce!: () => void;
  /** Resolves when the shard was tried once, or is not wanted here. */
  readonly tried = new Promise<void>((resolve) => {
    this.#triedOnce = resolve;
  });

  constructor(
    readonly shard: number,
    around: SlotSurroundings,
  ) {
    this.#around = around;
  }

  /** Looks whether there is something to do. */
  wake(): void {
    if (this.#running !== null) return;
    if (this.#next() === 'idle') {
      this.#triedOnce();
      return;
    }
    this.#running = this.#run().finally(() => {
      this.#running = null;
      this.wake();
      if (this.#running === null) this.#around.rested();
    });
  }

  /** Whether the shard is not of this node, and nothing is being done about it. */
  get isFree(): boolean {
    return this.#held === null && this.#leftOver === null && this.#running === null;
  }

  /** How far a shard that is served here has come; null where that is not known. */
  get note(): MarkNote | null {
    const held = this.#held;
    const mark = held?.announced === true ? this.#around.host.mark?.(held.fence) : undefined;
    if (held === null || mark === undefined) return null;
    return { shard: this.shard, createRevision: held.createRevision, mark };
  }

  /** What failed may succeed now: it is tried again at once. */
  hurry(): void {
    this.#failures = 0;
    this.#endBackOff();
    this.wake();
  }

  /**
   * The fence refused a write: the claim is checked, and given up if it still stands. One that is just
   * being made is checked once it is.
   */
  recheck(): void {
    this.#recheck = true;
    this.wake();
  }

  /** Drops the shard; the claim itself ends with the node's lease. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#endBackOff();
    this.wake();
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    for (let step = this.#next(); step !== 'idle'; step = this.#next()) {
      try {
        await this.#take(step);
      } catch (error) {
        this.#retryLater(`shard ${this.shard}: ${step} failed`, error);
      }
    }
  }

  #next(): Step {
    if (this.#held !== null) return this.#nextWhileHeld(this.#held);
    if (this.#stopping || this.#backOff !== null) return 'idle';
    if (this.#leftOver !== null) return 'give-back';
    const { claim, own, asOf } = this.#around.seen(this.shard);
    // What is seen is older than what is known; the watch tells when it is given back.
    if (asOf < this.#heldAsOf) return 'idle';
    const free = claim === null || own;
    const claimable = free && this.#around.claimant() !== null && this.#around.wanted(this.shard);
    return claimable ? 'claim' : 'idle';
  }

  #nextWhileHeld(held: Held): Step {
    if (this.#stopping || this.#isGone(held)) return 'drop';
    if (this.#backOff !== null) return 'idle';
    if (this.#recheck) return 'recheck';
    const mayLeave = !this.#around.wanted(this.shard) && this.#around.handOvers.mayBegin();
    if (mayLeave) return 'hand-over';
    return held.announced ? 'idle' : 'announce';
  }

  /** Known to be gone: the session has ended, or a state as new as the claim does not show it. */
  #isGone({ claimant, createRevision }: Held): boolean {
    if (this.#around.claimant()?.session !== claimant.session) return true;
    const { claim, asOf } = this.#around.seen(this.shard);
    return asOf >= createRevision && claim !== createRevision;
  }

  #take(step: Exclude<Step, 'idle'>): Promise<void> {
    switch (step) {
      case 'claim':
        return this.#claim();
      case 'announce':
        return this.#announce();
      case 'drop':
        return this.#drop();
      case 'recheck':
        return this.#checkClaim();
      case 'hand-over':
        return this.#handOver();
      case 'give-back':
        return this.#giveBack();
    }
  }

  async #claim(): Promise<void> {
    const claimant = this.#around.claimant();
    if (claimant === null) return;
    const { store, host, log } = this.#around;
    const { shard } = this;
    const outcome = await claimShard(store, shard, claimant);
    if (outcome.kind === 'no-session') {
      this.#around.sessionEnded(claimant.session);
      this.#pause();
      return;
    }
    if (outcome.kind === 'held') {
      this.#heldAsOf = outcome.asOf;
      return;
    }
    const { epoch, createRevision } = outcome;
    const fence: Fence = { shard, token: fencingToken(epoch, createRevision) };
    this.#recheck = false;
    try {
      await host.claimed(fence, outcome.remembered);
    } catch (error) {
      this.#leftOver = { createRevision, mark: undefined };
      this.#retryLater(`shard ${shard} cannot be served`, error);
      this.#around.claimed(shard, false);
      await this.#giveBack();
      return;
    }
    const servedAt = this.#around.now();
    this.#held = { shard, epoch, createRevision, fence, claimant, servedAt, announced: false };
    this.#failures = 0;
    this.#around.claimed(shard, true);
    log.debug('shard claimed', { shard, token: fence.token.toString() });
  }

  /** Tells everybody that the shard is served, unless the claim has gone meanwhile. */
  async #announce(): Promise<void> {
    const held = this.#held;
    if (held === null) return;
    const { claimant, servedAt, fence } = held;
    const mark = this.#around.host.mark?.(fence);
    const outcome = await markServed(this.#around.store, held, claimant, { servedAt, mark });
    if (outcome === 'marked') held.announced = true;
    else await this.#drop();
    if (outcome === 'no-session') this.#around.sessionEnded(claimant.session);
  }

  async #drop(): Promise<void> {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    await this.#tellLost(held);
    const noted = this.#noteWithoutClaim(held);
    // The store goes with the process; and the claim stands until the lease is ended, after this.
    if (this.#stopping) await noted;
  }

  /** Nobody else knows it exactly. Who goes on does not wait for it: the store may be away. */
  async #noteWithoutClaim({ fence }: Held): Promise<void> {
    const { store, host } = this.#around;
    const mark = host.mark?.(fence);
    if (mark === undefined || this.#around.isNoted(this.shard, mark)) return;
    await noteHighest(store, this.shard, mark).catch(() => undefined);
  }

  async #checkClaim(): Promise<void> {
    const held = this.#held;
    if (held === null) return;
    const stands = await claimStands(this.#around.store, this.shard, held.createRevision);
    this.#recheck = false;
    this.#held = null;
    await this.#tellLost(held);
    if (!stands) {
      void this.#noteWithoutClaim(held);
      return;
    }
    this.#leftOver = this.#leftOverOf(held);
    // Whoever refused it has warned, of all shards at once.
    this.#around.log.debug('a shard is claimed anew: it was refused under this claim', {
      shard: this.shard,
    });
    this.#pause();
    await this.#giveBack();
  }

  /** Puts the shard away, gives the claim back, and leaves the rest to the next owner. */
  async #handOver(): Promise<void> {
    const held = this.#held;
    if (held === null) return;
    const { store, handOvers } = this.#around;
    const { shard } = this;
    handOvers.begin(shard);
    try {
      // A store that does not answer would leave the shard without an owner who serves it.
      const stands = await claimStands(store, shard, held.createRevision);
      if (stands && this.#around.wanted(shard)) return;
      this.#held = null;
      await this.#tellLost(held);
      if (stands) await this.#giveAway(held);
      else void this.#noteWithoutClaim(held);
      handOvers.givenBack(shard);
    } finally {
      handOvers.endUnlessGiven(shard);
    }
  }

  /** Goes on serving when the store has stopped answering meanwhile; the fence decides. */
  async #giveAway(held: Held): Promise<void> {
    const { store, host } = this.#around;
    try {
      await giveClaimBack(store, this.shard, held.createRevision, host.mark?.(held.fence));
    } catch (error) {
      try {
        await host.claimed(held.fence);
        this.#held = held;
      } catch {
        this.#leftOver = this.#leftOverOf(held);
      }
      throw error;
    }
  }

  async #giveBack(): Promise<void> {
    if (this.#leftOver === null) return;
    const { createRevision, mark } = this.#leftOver;
    await giveClaimBack(this.#around.store, this.shard, createRevision, mark);
    this.#leftOver = null;
  }

  /** What the host knows now is exact, and whoever claims next may be another node. */
  #leftOverOf({ createRevision, fence }: Held): LeftOver {
    return { createRevision, mark: this.#around.host.mark?.(fence) };
  }

  async #tellLost({ fence }: Held): Promise<void> {
    try {
      await this.#around.host.lost(fence);
    } catch (error) {
      this.#around.log.error('a lost shard could not be put away', {
        shard: fence.shard,
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #retryLater(what: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : undefined;
    this.#around.log.warn(what, reason === undefined ? {} : { reason });
    this.#pause();
  }

  #pause(): void {
    if (this.#backOff !== null || this.#stopping) return;
    const delayMs = Math.min(FIRST_BACK_OFF_MS * 2 ** this.#failures, LONGEST_BACK_OFF_MS);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#backOff = this.#around.timer.after(delayMs, () => {
      this.#backOff = null;
      this.wake();
    });
  }

  #endBackOff(): void {
    this.#backOff?.cancel();
    this.#backOff = null;
  }
}
