import type { Outcome } from '@pawl/contracts';
import type { Written } from '@pawl/engine';
import { ProblemException } from '@pawl/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { conditionalHeaders, entityTag, type ConditionalHeaders } from './preconditions.js';

/** Answers are revalidated, never guessed from a cache; browsers take them for what they say. */
const JSON_HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-cache',
  'x-content-type-options': 'nosniff',
} as const;

/** The value, or the problem thrown to the problem filter. */
export function valueOf<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw new ProblemException(outcome.problem);
  return outcome.value;
}

/** The opposite: what the work comes to, a thrown problem as a refusal. */
export async function outcomeOf<T>(work: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProblemException) return { ok: false, problem: error.problem };
    throw error;
  }
}

export function send(reply: FastifyReply, body: unknown, status = 200): void {
  reply.code(status).headers(JSON_HEADERS).send(JSON.stringify(body));
}

/** A write's answer: its status, and that it is the first answer again when it is. */
export function sendWritten<T>(reply: FastifyReply, outcome: Outcome<Written<T>>): void {
  const { status, body, replayed } = valueOf(outcome);
  if (replayed) reply.header('idempotency-replayed', 'true');
  send(reply, body, status);
}

/** A read of something that has versions: its tag, 304 when the caller has it, 412 by `If-Match`. */
export function sendVersioned(
  request: FastifyRequest,
  reply: FastifyReply,
  read: { readonly version: number; readonly body: unknown },
): void {
  const verdict = judge(conditionalHeaders(request), read.version);
  if (verdict === 'mismatch') {
    throw ProblemException.of(
      'version-mismatch',
      `If-Match names another version than ${read.version}.`,
      { currentVersion: read.version },
    );
  }
  reply.header('etag', entityTag(read.version));
  if (verdict === 'unchanged') reply.code(304).header('cache-control', 'no-cache').send();
  else send(reply, read.body);
}

/** RFC 9110 §13.2.2: `If-Match` compares strongly, `If-None-Match` weakly. */
function judge(
  { ifMatch, ifNoneMatch }: ConditionalHeaders,
  version: number,
): 'fresh' | 'unchanged' | 'mismatch' {
  if (ifMatch?.kind === 'tags' && !ifMatch.strong.includes(version)) return 'mismatch';
  if (ifNoneMatch === undefined) return 'fresh';
  if (ifNoneMatch.kind === 'any') return 'unchanged';
  return [...ifNoneMatch.strong, ...ifNoneMatch.weak].includes(version) ? 'unchanged' : 'fresh';
}
