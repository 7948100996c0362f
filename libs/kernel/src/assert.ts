/** A broken invariant of ours (never of a user's input): the process should stop. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Stops with an {@link InvariantError} when `condition` does not hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(`invariant broken: ${message}`);
}

/** For the branch that the type system says cannot be reached. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable value: ${String(value)}`);
}
