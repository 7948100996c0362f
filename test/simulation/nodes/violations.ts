/** An invariant of the world is broken. */
export class ViolationError extends Error {
  override readonly name = 'ViolationError';
}

/**
 * Keeps the first broken invariant. What checks sees the product's calls from inside, where an error
 * thrown would only be one more failure for the product to survive.
 */
export class Violations {
  #first: ViolationError | null = null;

  demand(holds: boolean, text: string): void {
    if (!holds) this.#first ??= new ViolationError(text);
  }

  throwFirst(): void {
    if (this.#first !== null) throw this.#first;
  }
}
