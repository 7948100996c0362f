import type { Address } from '@pawl/contracts';
import type { ConfigEngine, Precondition } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { ConditionalHeaders } from './preconditions.js';

/**
 * What a write expects, from its headers. `If-Match` compares strongly, so a weak tag never holds
 * (412). `If-None-Match` with tags (RFC 9110 §13.1.2) is turned into the version that is there now,
 * or into one that never holds when a tag names it; a writer in between then gets 412.
 */
export async function writePrecondition(
  headers: ConditionalHeaders,
  engine: Pick<ConfigEngine, 'getConfig'>,
  address: Address,
): Promise<Precondition> {
  const { ifNoneMatch } = headers;
  if (ifNoneMatch?.kind !== 'tags') return statedPrecondition(headers);
  const current = await engine.getConfig(address);
  if (!current.ok) {
    if (current.problem.code === 'not-found') return { kind: 'match-none' };
    throw new ProblemException(current.problem);
  }
  const { version } = current.value;
  const named = [...ifNoneMatch.strong, ...ifNoneMatch.weak].includes(version);
  return { kind: 'match', versions: named ? [] : [version] };
}

/** The same of headers that say it by themselves: all but `If-None-Match` with tags. */
export function statedPrecondition({ ifMatch, ifNoneMatch }: ConditionalHeaders): Precondition {
  if (ifMatch !== undefined) {
    return ifMatch.kind === 'any'
      ? { kind: 'match-any' }
      : { kind: 'match', versions: ifMatch.strong };
  }
  return ifNoneMatch === undefined ? { kind: 'none-given' } : { kind: 'match-none' };
}
