import type { KeyStore } from './key-store.js';

/**
 * Work in steps that needs compacted memory kept from its making until it is done, throws, or is
 * given up by `return()`, be it before its first step.
 */
export class PinnedSteps<Step, Result> implements IterableIterator<Step, Result | undefined> {
  readonly #unpin: () => void;

  constructor(
    keys: KeyStore,
    private readonly steps: Iterator<Step, Result>,
  ) {
    this.#unpin = keys.pin();
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Step, Result> {
    try {
      const step = this.steps.next();
      if (step.done === true) this.#unpin();
      return step;
    } catch (error) {
      this.#unpin();
      throw error;
    }
  }

  return(): IteratorResult<Step, Result | undefined> {
    this.#unpin();
    this.steps.return?.();
    return { done: true, value: undefined };
  }
}
