import type { Address } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { evaluateChange, replacing } from './evaluate-change.js';
import { complaints } from './refusal.js';

/** Whether a version of an address would break no schema there and below, with nobody a candidate. */
export async function isValidVersion(
  context: EngineContext,
  root: OwnedRoot,
  of: { readonly address: Address; readonly version: number },
): Promise<boolean> {
  const definition = await storedDefinition(context, root, of);
  const hypothesis = { ...replacing(of.address, definition), stableOnly: true } as const;
  for await (const variant of evaluateChange(context, root.tree, hypothesis)) {
    if (complaints(variant).length > 0) return false;
  }
  return true;
}
