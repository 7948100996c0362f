import type { Address } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import { complaints } from './refusal.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { storedDefinition } from '../sharding/stored-definition.js';
import { evaluateChange, replacing } from './evaluate-change.js';
import type { Hypothesis } from './evaluate-change.js';

/** How many versions are tried before giving up. */
const MAX_TRIES = 20;
/** How long the search may take, milliseconds. */
const SEARCH_MS = 5_000;

/** A sentence that names the newest version below `below` that breaks no schema. */
export async function newestValidVersion(
  context: EngineContext,
  root: OwnedRoot,
  of: { readonly address: Address; readonly below: number },
): Promise<string> {
  const { address, below } = of;
  const blocked = root.tree.get(address)?.release.blockedVersions ?? [];
  const deadlineMs = context.clock.monotonicMs() + SEARCH_MS;
  const lowest = Math.max(1, below - MAX_TRIES);
  for (let version = below - 1; version >= lowest; version -= 1) {
    if (context.clock.monotonicMs() > deadlineMs) break;
    if (blocked.includes(version)) continue;
    const definition = await storedDefinition(context, root, { address, version });
    if (await isValid(context, root, { ...replacing(address, definition), stableOnly: true })) {
      return `the newest earlier version that would not is ${version}; or send force with a reason`;
    }
  }
  return 'no version that would pass was found before it; send force with a reason';
}

async function isValid(
  context: EngineContext,
  root: OwnedRoot,
  hypothesis: Hypothesis,
): Promise<boolean> {
  for await (const variant of evaluateChange(context, root.tree, hypothesis)) {
    if (complaints(variant).length > 0) return false;
  }
  return true;
}
