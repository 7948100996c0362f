import { done, refused } from '@pawl/contracts';
import type { Outcome, ReleaseRequest } from '@pawl/contracts';
import type { EngineContext } from '../engine-context.js';
import type { OwnedRoot } from '../sharding/owned-shard.js';
import type { AddressNode } from '../sharding/root-tree.js';
import type { HistoryEntry } from '../sharding/truth-store.port.js';
import { firstValidVersion } from './first-valid-version.js';

/** Lines of history that are read in one go, and how often. */
const PAGE = 200;
const MAX_PAGES = 10;

/**
 * A rollback that names no version, with the last good one: that which everybody had before the present
 * one, and that was not gone back from, is not blocked, and breaks no schema. Refused where none is found.
 * Where a release in stages is under way, or the request is refused anyhow, it stays as it is.
 */
export async function withLastGood(
  context: EngineContext,
  root: OwnedRoot,
  of: { readonly node: AddressNode; readonly request: ReleaseRequest },
): Promise<Outcome<ReleaseRequest>> {
  const { node, request } = of;
  const { staged, stableVersion, releaseVersion } = node.release;
  const { action, targetVersion, expectedReleaseVersion = releaseVersion, force } = request;
  const isOpen = action === 'rollback' && targetVersion === undefined && force !== true;
  if (!isOpen || staged !== null || stableVersion === null) return done(request);
  if (expectedReleaseVersion !== releaseVersion) return done(request);
  const { address } = node;
  const among = formerVersions(context, root, { node, below: stableVersion });
  const lastGood = await firstValidVersion(context, root, { address, among });
  if (lastGood !== undefined) return done({ ...request, targetVersion: lastGood });
  return refused(
    'invalid-transition',
    `no good version of ${address.text} was found that everybody had before version ${stableVersion}: ` +
      'name one, with --to, in a request as targetVersion; or disable takes the layer out',
  );
}

/** The versions that everybody had before, the last first, but those that were gone back from since. */
async function* formerVersions(
  { truth }: EngineContext,
  { shard }: OwnedRoot,
  { node, below }: { readonly node: AddressNode; readonly below: number },
): AsyncGenerator<number, void, void> {
  let ceiling = below;
  let before: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = { limit: PAGE, ...(before === undefined ? {} : { before }) };
    const lines = await truth.readHistory(shard, node.address.text, query);
    for (const line of lines) {
      const version = stableOf(line);
      if (version === undefined || version >= ceiling) continue;
      ceiling = version;
      yield version;
    }
    before = lines.at(-1)?.sequence;
    if (lines.length < PAGE) return;
  }
}

/** The version that a line of history gave to everybody. */
function stableOf({ kind, action, message, version, ended }: HistoryEntry): number | undefined {
  if (kind !== 'release') return undefined;
  const isAll =
    action === 'rollback' ||
    (action === 'promote' && message === undefined) ||
    ended?.outcome === 'completed' ||
    (action === 'advance' && message?.endsWith(': complete') === true);
  return isAll ? version : undefined;
}
