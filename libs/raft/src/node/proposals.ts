import { assert } from '@pawl/kernel';

export type RefusalReason = 'not-leader' | 'overloaded' | 'too-large' | 'stopped';

/** The command is surely not in the log and never will be. */
export class ProposalRefusedError extends Error {
  override readonly name = 'ProposalRefusedError';
  constructor(readonly reason: RefusalReason) {
    super(`the proposal was refused: ${reason}`);
  }
}

/** The node stopped before the outcome was known: the command may or may not be applied later. */
export class ProposalUnknownError extends Error {
  override readonly name = 'ProposalUnknownError';
}

interface Waiter<Result> {
  readonly term: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

/** Callers that wait for the entry they proposed; at most `limit`. */
export class Proposals<Result> {
  readonly #waiters = new Map<number, Waiter<Result>>();

  constructor(readonly limit: number) {}

  get full(): boolean {
    return this.#waiters.size >= this.limit;
  }

  wait(index: number, term: number): Promise<Result> {
    assert(!this.#waiters.has(index), 'one caller waits for one entry');
    return new Promise((resolve, reject) => {
      this.#waiters.set(index, { term, resolve, reject });
    });
  }

  resolve(index: number, term: number, result: Result): void {
    const waiter = this.#waiters.get(index);
    if (waiter === undefined) return;
    assert(waiter.term === term, 'an entry of a leader that stayed is applied as proposed');
    this.#waiters.delete(index);
    waiter.resolve(result);
  }

  rejectAll(error: Error): void {
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.reject(error);
  }
}
