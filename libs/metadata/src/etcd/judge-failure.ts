import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { FAILURE_PREFIX, REFUSALS } from '../etcd-protocol/refusals.js';
import type { Refusal } from '../state/index.js';

/**
 * What a call that failed says: `refused`, the server looked at it and changed nothing; `failed`
 * with whether it may have been done.
 */
export type Judgement =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'failed'; readonly done: 'no' | 'unknown' };

/** By what etcd says when it refuses. */
const BY_TEXT: ReadonlyMap<string, Refusal> = new Map(
  Object.entries(REFUSALS).map(([refusal, [, text]]) => [
    `${FAILURE_PREFIX}${text}`,
    refusal as keyof typeof REFUSALS,
  ]),
);

/** Said before a request goes anywhere. */
const NOT_TAKEN: ReadonlySet<string> = new Set([
  'etcdserver: no leader',
  'etcdserver: too many requests',
  'etcdserver: not capable',
]);

/** Codes that stand for a look at the request alone, or at who asks. */
const NOT_DONE: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
]);

/** The server's library refuses what is longer than the server takes, unread. */
const TOO_LONG = /received message larger than max/i;

/**
 * Only what etcd says of itself counts as not done; a connection that was lost, a deadline, a
 * cancelled call or anything that is not known may have been done.
 */
export function judgeFailure(error: unknown): Judgement {
  const { code = status.UNKNOWN, details = '' } = error as Partial<ServiceError>;
  const refusal = BY_TEXT.get(details);
  if (refusal !== undefined) return { kind: 'refused', refusal };
  if (code === status.RESOURCE_EXHAUSTED && TOO_LONG.test(details)) {
    return { kind: 'refused', refusal: 'too-large' };
  }
  const surely = NOT_TAKEN.has(details) || NOT_DONE.has(code);
  return { kind: 'failed', done: surely ? 'no' : 'unknown' };
}
