import type { Timer } from '@pawl/kernel';
import type { JsonObject } from '@pawl/contracts';
import { messageOf, shorten } from '../errors.js';
import type { Validate } from '../types.js';
import { settleWithin } from './settle-within.js';

/** How a user's `validate` ended. */
export type Validated =
  | { readonly kind: 'passed' }
  | { readonly kind: 'refused'; readonly thrown: unknown }
  /** Asynchronous, and cut off. */
  | { readonly kind: 'late' };

/** Reasons as they travel; the message schemas allow 2,048 characters. */
const REASON_LENGTH = 1_000;

/**
 * Runs `validate` on a document, an asynchronous one for at most `ms`. Calls back once: at once where
 * no promise is returned.
 */
export function runValidate(
  validate: Validate<unknown> | undefined,
  of: { readonly document: JsonObject; readonly version: number },
  within: { readonly timer: Timer; readonly ms: number },
  ended: (how: Validated) => void,
): void {
  if (validate === undefined) return ended({ kind: 'passed' });
  let result: unknown;
  try {
    result = validate(of.document, { version: of.version });
  } catch (thrown) {
    return ended({ kind: 'refused', thrown });
  }
  if (!isThenable(result)) return ended({ kind: 'passed' });
  void settleWithin(Promise.resolve(result), within.timer, within.ms).then((settled) => {
    if (settled.kind === 'value') ended({ kind: 'passed' });
    else if (settled.kind === 'failed') ended({ kind: 'refused', thrown: settled.error });
    else ended({ kind: 'late' });
  });
}

/** What was thrown, as it is told to the operators. */
export function reasonOf(thrown: unknown): string {
  return shorten(messageOf(thrown), REASON_LENGTH);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
