import { refused, shardOf } from '@pawl/contracts';
import type { Outcome, Problem, ProblemCode } from '@pawl/contracts';
import type { Clock, Timer } from '@pawl/kernel';
import { DistributionUnavailableError } from '../publication/snapshot-publisher.port.js';
import { noOwner } from '../sharding/refusals.js';
import type { ShardOwnership } from '../sharding/shard-ownership.port.js';
import type { Errand } from './errand.js';
import { CommandOutcomeUnknownError, NoOwnerError } from './owner-calls.port.js';
import type { OwnerCalls } from './owner-calls.port.js';
import { Places } from './places.js';
import { ShardWaits } from './shard-waits.js';

export interface RouterOptions {
  /** Whether this node serves the shard of a root. */
  readonly serves: (root: string) => boolean;
  readonly ownership: Pick<ShardOwnership, 'map' | 'lookUp' | 'onChange' | 'mayMove'>;
  readonly calls: OwnerCalls;
  /** Of the installation. */
  readonly shards: number;
  readonly clock: Clock;
  readonly timer: Timer;
  /** How long a request may look for its owner and wait for the answer, milliseconds. */
  readonly deadlineMs: number;
  /** Requests that may be with owners, or look for them, at the same time; half of what others leave for one owner, a quarter for one shard. */
  readonly maxRouted: number;
}

/** An owner that does not answer for so long is asked again, or its successor. */
const ATTEMPT_MS = 4_000;
/** The map is looked at again after these pauses, or as soon as it changes. */
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 400;
/** An owner that PostgreSQL refuses is asked again after this pause: it is busy enough. */
const REFUSED_PAUSE_MS = 1_000;
/** Of the deadline, three leases: an owner says that it is unready after half a lease, and loses its shards half a lease or two seconds later. */
const MOVES_WITHIN = 2 / 3;

/** Refusals that may come before a request's key is looked up. */
const SAYS_NOTHING: ReadonlySet<ProblemCode> = new Set([
  'truth-unavailable',
  // What a restore lost may have been written all the same.
  'truth-behind',
  'too-many-requests',
  'internal',
  'still-running',
  'outcome-unknown',
]);

/** One request on its way. */
interface Trip<T> {
  readonly errand: Errand<T>;
  readonly root: string;
  readonly shard: number;
  /** By the monotonic clock. */
  readonly endMs: number;
  /** Token that the quorum named, where it was asked; the map may not show it yet. */
  lookedUp: bigint;
  /** Told when time runs out. */
  told: Outcome<never>;
  /** The owner that PostgreSQL refused, and since when: it is not waited for longer than a move takes. */
  refused: { readonly token: bigint; readonly sinceMs: number } | undefined;
}

/**
 * Brings each request to the owner of its shard: done here where this node serves the shard, else
 * sent to the owner that the map names. While nobody owns it, or nobody answers, or PostgreSQL does not
 * answer an owner whose shard will move, it looks at the map anew and tries again until the deadline.
 */
export class Router {
  readonly #waits: ShardWaits;
  readonly #places: Places;

  constructor(private readonly options: RouterOptions) {
    this.#waits = new ShardWaits(options);
    this.#places = new Places(options.maxRouted);
  }

  /** Never rejects for what happens on the way; what the errand does here may. */
  async run<T>(
    root: string,
    errand: Errand<T>,
    deadlineMs = this.options.deadlineMs,
  ): Promise<Outcome<T>> {
    const { clock, ownership, serves, shards } = this.options;
    const endMs = clock.monotonicMs() + deadlineMs;
    const shard = shardOf(root, shards);
    const first = serves(root) ? await errand.here() : noOwner();
    if (first.ok) return first;
    const way = { lookedUp: 0n, told: first, refused: undefined };
    const trip: Trip<T> = { errand, root, shard, endMs, ...way };
    this.#noteRefusal(trip, this.#token(trip), first.problem);
    if (!this.#isRepeatable(trip, first.problem)) return first;
    const leave = this.#places.take(shard, ownership.map()[shard]?.owner ?? null);
    if (leave === undefined) return isUnknown(first) || serves(root) ? first : tooMany();
    try {
      return await this.#go(trip);
    } finally {
      leave();
    }
  }

  async #go<T>(trip: Trip<T>): Promise<Outcome<T>> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const token = this.#token(trip);
      const answer = this.options.serves(trip.root)
        ? await trip.errand.here()
        : await this.#send(trip, token);
      if (answer !== undefined) {
        if (answer.ok) return answer;
        this.#noteRefusal(trip, token, answer.problem);
        if (!this.#goesOn(trip, answer.problem)) return answer;
        this.#tell(trip, answer);
      }
      const isRefused = answer?.problem.code === 'truth-unavailable';
      const ms = isRefused ? REFUSED_PAUSE_MS : pauseMs;
      if (this.options.clock.monotonicMs() + ms >= trip.endMs) return trip.told;
      await this.#pause(trip, token, ms);
    }
  }

  /** Once it may have been done, only what the owner says after looking its key up is an answer. */
  #goesOn<T>(trip: Trip<T>, problem: Problem): boolean {
    if (this.#isRepeatable(trip, problem)) return true;
    return isUnknown(trip.told) && SAYS_NOTHING.has(problem.code);
  }

  /**
   * An owner that alone has lost PostgreSQL has written nothing, and is about to lose the shard. One
   * that keeps it for longer than a move takes is refused for another reason.
   */
  #isRepeatable<T>({ errand, shard, refused }: Trip<T>, problem: Problem): boolean {
    if (errand.repeatable(problem)) return true;
    if (problem.code !== 'truth-unavailable' || refused === undefined) return false;
    const { clock, deadlineMs, ownership } = this.options;
    const waitedMs = clock.monotonicMs() - refused.sinceMs;
    return waitedMs < deadlineMs * MOVES_WITHIN && ownership.mayMove(shard);
  }

  #noteRefusal<T>(trip: Trip<T>, token: bigint, { code }: Problem): void {
    if (code !== 'truth-unavailable' || trip.refused?.token === token) return;
    trip.refused = { token, sinceMs: this.options.clock.monotonicMs() };
  }

  /** The owner's answer; `undefined` when there is none. */
  async #send<T>(trip: Trip<T>, token: bigint): Promise<Outcome<T> | undefined> {
    // Made also while there is nobody to send it to: what waits is text.
    const message = trip.errand.message();
    if (token === 0n) return undefined;
    const leftMs = trip.endMs - this.options.clock.monotonicMs();
    const deadlineMs = Math.max(1, Math.min(leftMs, ATTEMPT_MS));
    try {
      const target = { shard: trip.shard, token };
      const answer = await this.options.calls.call(target, message, deadlineMs);
      return answer as Outcome<T>;
    } catch (error) {
      if (error instanceof NoOwnerError) await this.#lookUp(trip);
      else if (error instanceof CommandOutcomeUnknownError) trip.told = trip.errand.unanswered();
      else if (error instanceof DistributionUnavailableError) this.#tell(trip, unreachable());
      else throw error;
      return undefined;
    }
  }

  /**
   * That it may have been done is told, whatever was told before or comes after; else the first that is
   * more than that nobody owns the shard.
   */
  #tell<T>(trip: Trip<T>, problem: Outcome<never>): void {
    if (isUnknown(problem) || codeOf(trip.told) === 'no-owner') trip.told = problem;
  }

  /** 0n: nobody claims the shard, as far as is known. */
  #token<T>({ shard, lookedUp }: Trip<T>): bigint {
    const seen = this.options.ownership.map()[shard]?.token ?? 0n;
    return seen > lookedUp ? seen : lookedUp;
  }

  async #lookUp<T>(trip: Trip<T>): Promise<void> {
    trip.lookedUp = await this.#waits.lookUp(trip.shard);
  }

  /** Until the shard's claim changes; not at all when it has changed since the token was read. */
  #pause<T>(trip: Trip<T>, token: bigint, ms: number): Promise<void> {
    if (this.#token(trip) !== token) return Promise.resolve();
    const seen = this.options.ownership.map()[trip.shard];
    return this.#waits.changed(trip.shard, seen, ms);
  }
}

function codeOf(outcome: Outcome<never>): ProblemCode | undefined {
  return outcome.ok ? undefined : outcome.problem.code;
}

function isUnknown(outcome: Outcome<never>): boolean {
  return codeOf(outcome) === 'outcome-unknown';
}

function tooMany(): Outcome<never> {
  return refused('too-many-requests', 'too many requests wait for owners of shards; slow down');
}

function unreachable(): Outcome<never> {
  return refused(
    'no-owner',
    'another node serves this part of the configuration, and NATS, through which it is reached, does not answer; ask again, or ask that node',
  );
}
