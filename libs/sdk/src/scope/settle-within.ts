import type { Timer } from '@pawl/kernel';

export type Settled<T> =
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'late' };

/** How a promise ended, or `late` when it did not within `ms`. Never rejects. */
export function settleWithin<T>(
  promise: Promise<T>,
  timer: Timer,
  ms: number,
): Promise<Settled<T>> {
  return new Promise((resolve) => {
    const handle = timer.after(ms, () => resolve({ kind: 'late' }));
    const settle = (outcome: Settled<T>): void => {
      handle.cancel();
      resolve(outcome);
    };
    promise.then(
      (value) => settle({ kind: 'value', value }),
      (error: unknown) => settle({ kind: 'failed', error }),
    );
  });
}
