import type { Address } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { evaluateChange, replacing } from './evaluate-change.js';
import { complaints } from './refusal.js';

/** How many versions are tried, and for how long, milliseconds. */
const MAX_TRIES = 20;
const SEARCH_MS = 5_000;

/**
 * The first of these versions of an address that is not blocked and would break no schema there and below;
 * `undefined`: none was found in the tries and the time that a search has.
 */
export async function firstValidVersion(
  context: EngineContext,
  root: OwnedRoot,
  of: {
    readonly address: Address;
    readonly among: Iterable<number> | AsyncIterable<number>;
  },
): Promise<number | undefined> {
  const { address, among } = of;
  const blocked = root.tree.get(address)?.release.blockedVersions ?? [];
  const deadlineMs = context.clock.monotonicMs() + SEARCH_MS;
  let tries = 0;
  for await (const version of among) {
    if (tries >= MAX_TRIES || context.clock.monotonicMs() > deadlineMs) return undefined;
    tries += 1;
    if (blocked.includes(version)) continue;
    if (await isValidVersion(context, root, { address, version })) return version;
  }
  return undefined;
}

/** Whether a version of an address would break no schema there and below, with nobody a candidate. */
async function isValidVersion(
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
