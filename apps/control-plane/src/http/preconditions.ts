import { ProblemException } from '@pawl/platform';
import type { FastifyRequest } from 'fastify';

/**
 * One header of RFC 9110 §13.1: `*`, or the versions that its entity tags name. Tags that name no
 * version of ours match nothing; `weak` are those behind `W/`.
 */
export type TagList =
  | { readonly kind: 'any' }
  | { readonly kind: 'tags'; readonly strong: readonly number[]; readonly weak: readonly number[] };

export interface ConditionalHeaders {
  readonly ifMatch?: TagList;
  readonly ifNoneMatch?: TagList;
}

/** `If-Match` and `If-None-Match`; both at once, or what is no entity tag, is refused. */
export function conditionalHeaders(request: FastifyRequest): ConditionalHeaders {
  const { 'if-match': match, 'if-none-match': noneMatch } = request.headers;
  if (match !== undefined && noneMatch !== undefined) {
    throw ProblemException.of(
      'malformed-precondition',
      'If-Match and If-None-Match exclude each other; send one of them.',
    );
  }
  return {
    ...(match === undefined ? {} : { ifMatch: parseTags('If-Match', match) }),
    ...(noneMatch === undefined ? {} : { ifNoneMatch: parseTags('If-None-Match', noneMatch) }),
  };
}

/** The strong entity tag of a version. */
export function entityTag(version: number): string {
  return `"${version}"`;
}

const TAG = /^(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"$/;
const VERSION = /^[1-9][0-9]{0,15}$/;
/** Longer lists are not written by anybody. */
const MAX_TAGS = 64;

function parseTags(header: string, value: string): TagList {
  const text = value.trim();
  if (text === '*') return { kind: 'any' };
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length > MAX_TAGS) throw malformed(header, `names more than ${MAX_TAGS} tags`);
  const strong: number[] = [];
  const weak: number[] = [];
  for (const part of parts) {
    const match = TAG.exec(part);
    if (match === null) throw malformed(header, mistake(part));
    const [, weakMark, opaque = ''] = match;
    const version = VERSION.test(opaque) ? Number(opaque) : NaN;
    if (Number.isSafeInteger(version)) (weakMark === undefined ? strong : weak).push(version);
  }
  return { kind: 'tags', strong, weak };
}

function mistake(part: string): string {
  if (/^[0-9]+$/.test(part)) return `has the version ${part} without quotes: write "${part}"`;
  if (part === '') return 'is empty';
  return `holds ${JSON.stringify(part.slice(0, 40))}, which is not an entity tag`;
}

function malformed(header: string, what: string): ProblemException {
  return ProblemException.of(
    'malformed-precondition',
    `${header} ${what}. It takes * or versions in double quotes, such as ${header}: "3".`,
  );
}
