import type { Address } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { isValidVersion } from './is-valid-version.js';

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
    if (await isValidVersion(context, root, { address, version })) {
      return `the newest earlier version that would not is ${version}; or send force with a reason`;
    }
  }
  return 'no version that would pass was found before it; send force with a reason';
}
