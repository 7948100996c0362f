import { canonicalize } from '@pawl/contracts';
import type { JsonValue } from '@pawl/contracts';
import { InvariantError } from '@pawl/kernel';

/** One promise of a port, checked on every implementation of it. */
export interface ConformanceCase<Subject> {
  readonly name: string;
  /** Rejects when the subject breaks the promise. */
  readonly run: (subject: Subject) => Promise<void>;
}

/** Throws unless both are the same JSON; `undefined` members count as left out. */
export function expectSame(actual: unknown, expected: unknown, what: string): void {
  const [left, right] = [plain(actual), plain(expected)];
  if (left !== right) {
    throw new InvariantError(`${what}:\n  expected ${right}\n  but was  ${left}`);
  }
}

/** Throws unless the promise rejects with an error of this name. */
export async function expectRejection(
  promise: Promise<unknown>,
  errorName: string,
  what: string,
): Promise<void> {
  try {
    await promise;
  } catch (error) {
    expectSame(error instanceof Error ? error.name : error, errorName, what);
    return;
  }
  throw new InvariantError(`${what}: expected ${errorName}, and nothing was thrown`);
}

function plain(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'bigint' ? `${inner}n` : inner,
  );
  return text === undefined ? 'undefined' : canonicalize(JSON.parse(text) as JsonValue);
}
