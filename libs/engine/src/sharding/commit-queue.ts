import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import type { FencingToken } from './fence.js';
import { FencedError, OutcomeUnknownError, TruthUnavailableError } from './truth-store.port.js';
import type { Changeset, CommitOutcome } from './truth-store.port.js';

/** Changesets of one transaction: beyond this many one more costs as much as in the next one. */
const GROUP_CHANGESETS = 64;
/** Weight of one transaction, some ten milliseconds of PostgreSQL's work; a heavier changeset goes alone. */
const GROUP_WEIGHT = 1024 * 1024;
/** Weight of all that wait. */
const WAITING_WEIGHT = 32 * 1024 * 1024;
/** What a row without a long text counts for. */
const ROW_WEIGHT = 256;

/** Too many changesets of the shard wait already: nothing of this one was written. */
export class CommitQueueFullError extends Error {
  override readonly name = 'CommitQueueFullError';
}

export interface CommitQueueOptions {
  /** Commits changesets in one transaction, in order, all or nothing; see `TruthStore.commitAll`. */
  readonly commit: (changesets: readonly Changeset[]) => Promise<CommitOutcome>;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly maxWaiting: number;
  /** How long a changeset waits before it is refused, milliseconds. */
  readonly maxWaitMs: number;
}

interface Waiting {
  readonly changeset: Changeset;
  readonly weight: number;
  readonly sinceMs: number;
  readonly resolve: (outcome: CommitOutcome) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Commits the changesets of one shard, one transaction at a time and in order of arrival. What comes
 * while a transaction is under way waits, and goes together in the next one (group commit); what comes
 * alone goes at once. Nobody is answered before the outcome of his own changeset is known.
 *
 * A group is all or nothing. When one of its changesets makes it fail, nothing of it was written, and
 * they are repeated one by one, so that only that one is refused. When its answer is lost, the outcome
 * of each of them is unknown.
 */
export class CommitQueue {
  readonly #waiting: Waiting[] = [];
  #waitingWeight = 0;
  #running: Promise<void> | undefined;
  #overdue: TimerHandle | undefined;
  #closedBy: FencingToken | undefined;

  constructor(private readonly options: CommitQueueOptions) {}

  /**
   * As `TruthStore.commit`. Throws {@link CommitQueueFullError} when too many wait, and
   * `TruthUnavailableError` after it waited too long: in both cases surely nothing was written.
   */
  commit(changeset: Changeset): Promise<CommitOutcome> {
    if (this.#closedBy !== undefined) return Promise.resolve(fencedBy(this.#closedBy));
    const weight = weightOf(changeset);
    if (this.#isFull(weight)) {
      const error = new CommitQueueFullError('too many changesets of the shard wait');
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      const sinceMs = this.options.clock.monotonicMs();
      this.#waiting.push({ changeset, weight, sinceMs, resolve, reject });
      this.#waitingWeight += weight;
      this.#running ??= this.#run();
      this.#watch();
    });
  }

  /** Resolves once nothing waits and nothing is under way. */
  drained(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /**
   * The shard is no longer this token's: what waits, and what still comes, is answered as fenced.
   * Returns how many waited.
   */
  close(token: FencingToken): number {
    this.#closedBy ??= token;
    this.#overdue?.cancel();
    const waiting = this.#take(Infinity, Infinity);
    for (const each of waiting) each.resolve(fencedBy(token));
    return waiting.length;
  }

  #isFull(weight: number): boolean {
    if (this.#running === undefined) return false;
    const { maxWaiting } = this.options;
    return this.#waiting.length >= maxWaiting || this.#waitingWeight + weight > WAITING_WEIGHT;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#commitGroup(this.#take(GROUP_CHANGESETS, GROUP_WEIGHT));
    }
    this.#running = undefined;
    this.#overdue?.cancel();
    this.#overdue = undefined;
  }

  /** The longest waiting ones, within the bounds; always one, however heavy. */
  #take(maxCount: number, maxWeight: number): Waiting[] {
    let count = 0;
    let weight = 0;
    for (const each of this.#waiting) {
      if (count === maxCount || (count > 0 && weight + each.weight > maxWeight)) break;
      count += 1;
      weight += each.weight;
    }
    this.#waitingWeight -= weight;
    return this.#waiting.splice(0, count);
  }

  async #commitGroup(group: readonly Waiting[]): Promise<void> {
    try {
      const outcome = await this.options.commit(group.map(({ changeset }) => changeset));
      if (outcome.kind === 'conflict' && group.length > 1) await this.#commitEach(group);
      else for (const each of group) each.resolve(outcome);
    } catch (error) {
      if (group.length > 1 && isOfOne(error)) await this.#commitEach(group);
      else for (const each of group) each.reject(error as Error);
    }
  }

  /** One by one, until the truth is away or the shard lost: the rest is then surely not written. */
  async #commitEach(group: readonly Waiting[]): Promise<void> {
    const rest = [...group];
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) {
      try {
        const outcome = await this.options.commit([one.changeset]);
        one.resolve(outcome);
        const { kind } = outcome;
        if (kind !== 'fenced' && kind !== 'behind') continue;
        for (const each of rest.splice(0)) each.resolve(outcome);
      } catch (error) {
        one.reject(error as Error);
        if (isOfOne(error)) continue;
        const unavailable = new TruthUnavailableError('not tried again', { cause: error });
        rest.splice(0).forEach((each) => each.reject(unavailable));
      }
    }
  }

  /** One timer, for whoever waits longest. */
  #watch(): void {
    const [oldest] = this.#waiting;
    if (oldest === undefined || this.#overdue !== undefined) return;
    const { clock, timer, maxWaitMs } = this.options;
    const leftMs = oldest.sinceMs + maxWaitMs - clock.monotonicMs();
    this.#overdue = timer.after(leftMs, () => {
      this.#overdue = undefined;
      const beforeMs = clock.monotonicMs() - maxWaitMs;
      const overdue = this.#waiting.filter(({ sinceMs }) => sinceMs <= beforeMs);
      for (const each of this.#take(overdue.length, Infinity)) {
        each.reject(new TruthUnavailableError('the commits before it took too long'));
      }
      this.#watch();
    });
  }
}

/** Whether an error tells of one changeset, not of PostgreSQL or of the shard: it was taken back. */
function isOfOne(error: unknown): boolean {
  return !(
    error instanceof TruthUnavailableError ||
    error instanceof OutcomeUnknownError ||
    error instanceof FencedError
  );
}

function fencedBy(token: FencingToken): CommitOutcome {
  return { kind: 'fenced', token };
}

/** About what a changeset costs in memory, and PostgreSQL in work: characters, and some for each row. */
function weightOf(changeset: Changeset): number {
  const { definitions, releases, snapshots, opened, forgotten, history, idempotency } = changeset;
  const rows = [definitions, releases, snapshots, opened, forgotten, history];
  let weight = rows.reduce((sum, part) => sum + part.length * ROW_WEIGHT, ROW_WEIGHT);
  for (const { document, schema } of definitions) {
    weight += (document?.text.length ?? 0) + (schema?.text.length ?? 0);
  }
  return weight + (idempotency?.body.length ?? 0);
}
