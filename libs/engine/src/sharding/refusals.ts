import { refused } from '@pawl/contracts';
import type { Outcome } from '@pawl/contracts';

export function noOwner(): Outcome<never> {
  return refused('no-owner', 'no node serves this part of the configuration just now; ask again');
}

export function truthUnavailable(): Outcome<never> {
  return refused('truth-unavailable', 'PostgreSQL does not answer; nothing was written; ask again');
}

/** The fence cannot be checked now. */
export function fenceUnchecked(): Outcome<never> {
  return refused(
    'truth-unavailable',
    'PostgreSQL does not answer, so this node cannot be sure that it still knows the newest; nothing was written; ask again',
  );
}
