import { refused, shardOf } from '@pawl/contracts';
import type { Outcome, Problem, ProblemCode } from '@pawl/contracts';
import type { Clock, Timer } from '@pawl/kernel';
import { DistributionUnavailableError } from '../publication/snapshot-publisher.port.js';
import { noOwner } from '../sharding/refusals.js';
import type { ShardOwnership } from '../sharding/shard-ownership.port.js';
import type { Errand } from './errand.js';
import { CommandOutcomeUnknownError, NoOwnerError } from './owner-calls.port.js';
import type { OwnerCalls } from './owner-calls.port.js';
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
  /** Requests that may be with owners, or look for them, at the same time. */
  readonly maxRouted: number;
}

/** An owner that does not answer for so long is asked again, or its successor. */
const ATTEMPT_MS = 4_000;
/** The map is looked at again after these pauses, or as soon as it changes. */
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 400;

/** Refusals that may come before a request's key is looked up. */
const SAYS_NOTHING: ReadonlySet<ProblemCode> = new Set([
  'truth-unavailable',
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
}

/**
 * Brings each request to the owner of its shard: done here where this node serves the shard, else
 * sent to the owner that the map names. While nobody owns it, or nobody answers, or PostgreSQL does not
 * answer an owner whose shard will move, it looks at the map anew and tries again until the deadline.
 */
export class Router {
  readonly #waits: ShardWaits;
  #routed = 0;

  constructor(private readonly options: RouterOptions) {
    this.#waits = new ShardWaits(options);
  }

  /** Never rejects for what happens on the way; what the errand does here may. */
  async run<T>(
    root: string,
    errand: Errand<T>,
    deadlineMs = this.options.deadlineMs,
  ): Promise<Outcome<T>> {
    const { clock, maxRouted, serves, shards } = this.options;
    const endMs = clock.monotonicMs() + deadlineMs;
    const shard = shardOf(root, shards);
    const first = serves(root) ? await errand.here() : noOwner();
    if (first.ok || !this.#isRepeatable(errand, shard, first.problem)) return first;
    if (this.#routed >= maxRouted) return serves(root) ? first : tooMany();
    this.#routed += 1;
    try {
      return await this.#go({ errand, root, shard, endMs, lookedUp: 0n, told: first });
    } finally {
      this.#routed -= 1;
    }
  }

  async #go<T>(trip: Trip<T>): Promise<Outcome<T>> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const token = this.#token(trip);
      const answer = this.options.serves(trip.root)
        ? await trip.errand.here()
        : await this.#send(trip, token);
      if (answer !== undefined) {
        if (answer.ok || !this.#goesOn(trip, answer.problem)) return answer;
        this.#tell(trip, answer);
      }
      if (this.options.clock.monotonicMs() + pauseMs >= trip.endMs) return trip.told;
      await this.#pause(trip, token, pauseMs);
    }
  }

  /** Once it may have been done, only what the owner says after looking its key up is an answer. */
  #goesOn<T>({ errand, shard, told }: Trip<T>, problem: Problem): boolean {
    if (this.#isRepeatable(errand, shard, problem)) return true;
    return !told.ok && told.problem.code === 'outcome-unknown' && SAYS_NOTHING.has(problem.code);
  }

  /** An owner that alone has lost PostgreSQL has written nothing, and is about to lose the shard. */
  #isRepeatable<T>(errand: Errand<T>, shard: number, problem: Problem): boolean {
    if (errand.repeatable(problem)) return true;
    return problem.code === 'truth-unavailable' && this.options.ownership.mayMove(shard);
  }

  /** The owner's answer; `undefined` when there is none. */
  async #send<T>(trip: Trip<T>, token: bigint): Promise<Outcome<T> | undefined> {
    if (token === 0n) return undefined;
    const leftMs = trip.endMs - this.options.clock.monotonicMs();
    const deadlineMs = Math.max(1, Math.min(leftMs, ATTEMPT_MS));
    try {
      const target = { shard: trip.shard, token };
      const answer = await this.options.calls.call(target, trip.errand.message(), deadlineMs);
      return answer as Outcome<T>;
    } catch (error) {
      if (error instanceof NoOwnerError) await this.#lookUp(trip);
      else if (error instanceof CommandOutcomeUnknownError) trip.told = trip.errand.unanswered();
      else if (error instanceof DistributionUnavailableError) this.#tell(trip, unreachable());
      else throw error;
      return undefined;
    }
  }

  /** Once it may have been done, that nobody owns the shard is no longer all there is to tell. */
  #tell<T>(trip: Trip<T>, problem: Outcome<never>): void {
    if (trip.told.ok || trip.told.problem.code === 'no-owner') trip.told = problem;
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

function tooMany(): Outcome<never> {
  return refused('too-many-requests', 'too many requests wait for owners of shards; slow down');
}

function unreachable(): Outcome<never> {
  return refused(
    'no-owner',
    'another node serves this part of the configuration, and NATS, through which it is reached, does not answer; ask again, or ask that node',
  );
}
