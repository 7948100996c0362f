import { ProblemError } from '@pawl/admin-client';
import type { AdminClient } from '@pawl/admin-client';

/**
 * Says that an address has no definition of its own, though consumers have it open: with a typo in
 * it they quietly read what its ancestors give. `undefined` when it has one, or nobody opened it.
 */
export async function undefinedNote(
  client: AdminClient,
  address: string,
): Promise<string | undefined> {
  if ((await found(client.getConfig(address))) !== undefined) return undefined;
  const effective = await found(client.effective(address));
  if (effective === undefined) return undefined;
  const layers = effective.inputs ?? [];
  const nearest = layers.findLast(({ definitionVersion }) => definitionVersion !== null);
  return nearest === undefined
    ? `note: nothing is defined at ${address}, nor above it\n`
    : `note: nothing is defined at ${address}; it reads what ${nearest.address} gives\n`;
}

/** `undefined`: not found. */
async function found<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ProblemError && error.problem.status === 404) return undefined;
    throw error;
  }
}
