import type { Address } from '@pawl/contracts';

/**
 * Asks that an address be looked at again at a time: a hint, which may come late, twice or never. What
 * there is to be done the owner decides by itself, from the release state and under its token.
 */
export interface WakeUps {
  /** Returns at once and never throws. */
  at(address: Address, wallMs: number): void;
}
