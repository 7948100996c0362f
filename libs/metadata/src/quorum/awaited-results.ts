import type { CommandPlace, CommandResult } from '../state/index.js';

interface Waiter {
  readonly term: number;
  readonly resolve: (result: CommandResult) => void;
  readonly reject: (error: Error) => void;
}

/** Callers that wait for the command they proposed to be applied, each at its place in the log. */
export class AwaitedResults {
  readonly #waiters = new Map<number, Waiter>();

  at({ index, term }: CommandPlace): Promise<CommandResult> {
    return new Promise((resolve, reject) => this.#waiters.set(index, { term, resolve, reject }));
  }

  /** Another command at that place: the one that was waited for is lost, or not; nobody knows. */
  applied({ index, term }: CommandPlace, result: CommandResult): void {
    const waiter = this.#waiters.get(index);
    if (waiter === undefined) return;
    this.#waiters.delete(index);
    if (waiter.term === term) waiter.resolve(result);
    else waiter.reject(new Error('the leadership was lost'));
  }

  rejectAll(error: Error): void {
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    for (const { reject } of waiters) reject(error);
  }
}
