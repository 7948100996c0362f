import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import type { Refusal } from '../state/index.js';

/**
 * What a call that failed says: `refused`, the server looked at it and changed nothing; `failed`
 * with whether it may have been done.
 */
export type Judgement =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'failed'; readonly done: 'no' | 'unknown' };

/** What etcd says when it refuses (`etcdserver/api/v3rpc/rpctypes/error.go`), and in our words. */
const REFUSALS: ReadonlyMap<string, Refusal> = new Map([
  ['etcdserver: key is not provided', 'empty-key'],
  ['etcdserver: key not found', 'key-not-found'],
  ['etcdserver: value is provided', 'value-provided'],
  ['etcdserver: lease is provided', 'lease-provided'],
  ['etcdserver: too many operations in txn request', 'too-many-operations'],
  ['etcdserver: duplicate key given in txn request', 'duplicate-key'],
  ['etcdserver: mvcc: required revision has been compacted', 'compacted'],
  ['etcdserver: mvcc: required revision is a future revision', 'future-revision'],
  ['etcdserver: mvcc: database space exceeded', 'no-space'],
  ['etcdserver: requested lease not found', 'lease-not-found'],
  ['etcdserver: lease already exists', 'lease-exists'],
  ['etcdserver: too large lease TTL', 'ttl-out-of-range'],
  ['etcdserver: request is too large', 'too-large'],
  ['etcdserver: corrupt cluster', 'corrupt'],
]);

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
  const refusal = REFUSALS.get(details);
  if (refusal !== undefined) return { kind: 'refused', refusal };
  if (code === status.RESOURCE_EXHAUSTED && TOO_LONG.test(details)) {
    return { kind: 'refused', refusal: 'too-large' };
  }
  const surely = NOT_TAKEN.has(details) || NOT_DONE.has(code);
  return { kind: 'failed', done: surely ? 'no' : 'unknown' };
}
