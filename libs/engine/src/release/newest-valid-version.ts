import type { Address } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import { firstValidVersion } from './first-valid-version.js';

/** A sentence that names the newest version below `below` that breaks no schema. */
export async function newestValidVersion(
  context: EngineContext,
  root: OwnedRoot,
  { address, below }: { readonly address: Address; readonly below: number },
): Promise<string> {
  const version = await firstValidVersion(context, root, { address, among: downFrom(below) });
  return version === undefined
    ? 'no version that would pass was found before it; send force with a reason'
    : `the newest earlier version that would not is ${version}; or send force with a reason`;
}

/** From the one below it down to 1. */
function* downFrom(version: number): Generator<number, void, void> {
  for (let lower = version - 1; lower >= 1; lower -= 1) yield lower;
}
