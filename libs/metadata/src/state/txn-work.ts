import { versionCost } from './key-record.js';
import type { KeyValue } from './types.js';

/** How much one transaction or read may do. Counted, not measured: the same on every member. */
export interface WorkLimits {
  /** Keys looked at, and what else takes about as long as looking at one. */
  readonly steps: number;
  /** Of what is answered, with an overhead for each key. */
  readonly answerBytes: number;
}

/** The limits are exceeded: what was begun is to be undone, and refused as too large. */
export class TooMuchWorkError extends Error {
  override readonly name = 'TooMuchWorkError';
}

/** Bytes that are compared or looked through in about the time of one step. */
const BYTES_PER_STEP = 256;
/** Deleting a key that was looked at takes so many steps more. */
const DELETE_STEPS = 3;
const NO_VALUE = new Uint8Array(0);

/** Counts what one transaction does; each method throws a {@link TooMuchWorkError} above the limits. */
export class TxnWork {
  #steps: number;
  #answerBytes: number;

  constructor({ steps, answerBytes }: WorkLimits) {
    this.#steps = steps;
    this.#answerBytes = answerBytes;
  }

  /** To be called for every key that is looked at. */
  step(): void {
    this.#spend(1);
  }

  /** To be called before so many keys are deleted. */
  delete(keys: number): void {
    this.#spend(keys * DELETE_STEPS);
  }

  /** `bytes`: what the value of each of the compared keys is compared with at most. */
  compare(kvs: readonly KeyValue[], bytes: number): void {
    let steps = 0;
    for (const { value } of kvs) {
      steps += Math.floor(Math.min(value.length, bytes) / BYTES_PER_STEP);
    }
    this.#spend(steps);
  }

  /** `byValue`: the values are compared, and not numbers. */
  sort(kvs: readonly KeyValue[], byValue: boolean): void {
    let once = kvs.length;
    if (byValue) for (const { value } of kvs) once += Math.floor(value.length / BYTES_PER_STEP);
    this.#spend(once * Math.ceil(Math.log2(kvs.length + 1)));
  }

  answer(kvs: readonly KeyValue[], keysOnly = false): void {
    for (const { key, value } of kvs) {
      this.#answerBytes -= versionCost(key, keysOnly ? NO_VALUE : value);
      if (this.#answerBytes < 0) throw new TooMuchWorkError('the answer is too large');
    }
  }

  #spend(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw new TooMuchWorkError('too much to look at');
  }
}
