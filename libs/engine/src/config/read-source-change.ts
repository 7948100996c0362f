import { done, parseAddress, refused } from '@pawl/contracts';
import type {
  Address,
  DefinitionView,
  MergeRequest,
  Outcome,
  SourceChange,
  SourceContent,
} from '@pawl/contracts';
import type { ConfigEngine } from '../config-engine.js';

/**
 * What a merge onto `address` is about, read from its source, whoever owns that; changes nothing. Where the
 * request names no base it is what was merged last; where nothing was and nothing is there it is
 * nothing.
 */
export async function readSourceChange(
  engine: Pick<ConfigEngine, 'getConfig' | 'getMergeBase'>,
  address: Address,
  request: MergeRequest,
): Promise<Outcome<SourceChange>> {
  const parsed = parseAddress(request.from);
  if (!parsed.ok) return refused('malformed-address', `"from" is no address: ${parsed.message}`);
  const from = parsed.address;
  if (from.text === address.text) {
    return refused(
      'malformed-request',
      'an address is not merged onto itself: write it, or roll back',
    );
  }
  const theirs = await engine.getConfig(from, request.fromVersion);
  if (!theirs.ok) return theirs;
  const { version } = theirs.value;
  const found =
    request.baseVersion === undefined
      ? await baseVersion(engine, address, { from, version })
      : done(request.baseVersion);
  if (!found.ok) return found;
  const base = found.value === 0 ? undefined : await engine.getConfig(from, found.value);
  if (base !== undefined && !base.ok) return base;
  return done({
    origin: { address: from.text, version, baseVersion: found.value },
    base: base === undefined ? {} : contentOf(base.value),
    theirs: contentOf(theirs.value),
    resolve: request.resolve ?? {},
  });
}

async function baseVersion(
  engine: Pick<ConfigEngine, 'getMergeBase'>,
  address: Address,
  { from, version }: { readonly from: Address; readonly version: number },
): Promise<Outcome<number>> {
  const known = await engine.getMergeBase(address, from);
  if (!known.ok) return known;
  const { origin } = known.value;
  if (origin !== undefined) return done(origin.version);
  if (known.value.version === 0) return done(0);
  return refused(
    'merge-base-required',
    `no version of ${address.text} was merged from ${from.text}, so nobody knows what changed since: send ` +
      `baseVersion, the version of ${from.text} (1 to ${version}) from which the changes are to be counted; ` +
      '0 counts from nothing and shows every difference as a conflict',
    { currentVersion: known.value.version },
  );
}

function contentOf({ abstract, document, schema }: DefinitionView): SourceContent {
  return {
    ...(abstract === true ? {} : { document }),
    ...(schema === undefined ? {} : { schema }),
  };
}
