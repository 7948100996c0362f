import type { Outcome } from '@pawl/contracts';
import { truthUnavailable } from './refusals.js';
import { TruthUnavailableError } from './truth-store.port.js';

/** What a read of the truth comes to; `truth-unavailable` where PostgreSQL does not answer. */
export async function answered<T>(read: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof TruthUnavailableError) return truthUnavailable();
    throw error;
  }
}
