import type { Address } from '@pawl/contracts';
import type { Definition } from '@pawl/domain';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from './owned-shard.js';
import { FencedError } from './truth-store.port.js';

/**
 * An earlier version of what is in memory. Versions have no gaps and are never deleted: where it is not
 * stored, another PostgreSQL has taken the place of the one that memory is of, and no check has told so yet.
 * {@link FencedError} then, so that the owner loads anew.
 */
export async function storedDefinition(
  context: Pick<EngineContext, 'truth'>,
  { shard }: OwnedRoot,
  { address, version }: { readonly address: Address; readonly version: number },
): Promise<Definition> {
  const stored = await context.truth.readDefinition(shard, address.text, version);
  if (stored === undefined) throw new FencedError(shard.shard, shard.token);
  return stored;
}
