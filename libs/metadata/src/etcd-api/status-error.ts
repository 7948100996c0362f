import { status } from '@grpc/grpc-js';
import type { MemberRefusal } from '../coordination.port.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { FAILURE_PREFIX, REFUSALS } from '../etcd-protocol/refusals.js';
import type { Failure } from '../etcd-protocol/refusals.js';
import type { Refusal } from '../state/index.js';

/** An answer that is a failure: gRPC's code, and a text that etcd's clients know. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  constructor(
    readonly code: status,
    text: string,
    options?: ErrorOptions,
  ) {
    super(text, options);
  }
}

/** What the API itself refuses. */
type ApiRefusal =
  | 'no-leader'
  | 'not-leader'
  | 'bad-transferee'
  | 'timed-out'
  | 'stopped'
  | 'too-many-requests'
  | 'bad-urls'
  | 'bad-sort'
  | 'bad-compare'
  | 'bad-alarm'
  | 'bad-lease-id';

const { INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION } = status;
const { RESOURCE_EXHAUSTED, UNAVAILABLE, INTERNAL } = status;

/** In the words of etcd 3.4, where it has them. */
const FAILURES: Readonly<Record<Refusal | MemberRefusal | ApiRefusal, Failure>> = {
  ...REFUSALS,
  'unknown-command': [INTERNAL, 'unknown command'],
  /* Whether it was done is not known. */
  'session-not-found': [UNAVAILABLE, 'request timed out'],
  'answer-forgotten': [UNAVAILABLE, 'request timed out'],
  'session-full': [RESOURCE_EXHAUSTED, 'too many requests'],

  'member-not-found': [NOT_FOUND, 'member not found'],
  'member-exists': [FAILED_PRECONDITION, 'member ID already exist'],
  'address-in-use': [FAILED_PRECONDITION, 'Peer URLs already exists'],
  'other-folder': [FAILED_PRECONDITION, 'member has another data folder'],
  'lease-full': [RESOURCE_EXHAUSTED, 'too many keys on the lease'],
  'too-many-members': [RESOURCE_EXHAUSTED, 'too many members in cluster'],
  'not-a-learner': [FAILED_PRECONDITION, 'can only promote a learner member'],
  'not-caught-up': [
    FAILED_PRECONDITION,
    'can only promote a learner member which is in sync with leader',
  ],
  'last-voter': [FAILED_PRECONDITION, 're-configuration failed due to not enough started members'],
  'too-many-learners': [FAILED_PRECONDITION, 'too many learner members in cluster'],
  'change-under-way': [UNAVAILABLE, 'unhealthy cluster'],
  unhealthy: [UNAVAILABLE, 'unhealthy cluster'],

  'no-leader': [UNAVAILABLE, 'no leader'],
  'not-leader': [FAILED_PRECONDITION, 'not leader'],
  'bad-transferee': [FAILED_PRECONDITION, 'bad leader transferee'],
  'timed-out': [UNAVAILABLE, 'request timed out'],
  stopped: [UNAVAILABLE, 'server stopped'],
  'too-many-requests': [RESOURCE_EXHAUSTED, 'too many requests'],
  'bad-urls': [INVALID_ARGUMENT, 'given member URLs are invalid'],
  'bad-sort': [INVALID_ARGUMENT, 'invalid sort option'],
  'bad-compare': [INVALID_ARGUMENT, 'invalid comparison'],
  'bad-alarm': [INVALID_ARGUMENT, 'invalid alarm request'],
  'bad-lease-id': [INVALID_ARGUMENT, 'lease ids are positive'],
};

export function refused(refusal: Refusal | MemberRefusal | ApiRefusal): StatusError {
  const [code, text] = FAILURES[refusal];
  return new StatusError(code, `${FAILURE_PREFIX}${text}`);
}

/**
 * What a call that threw is answered with. A request whose outcome is not known times out, in
 * etcd's words; one that surely was not done had no leader.
 */
export function toStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof MetadataUnavailableError) {
    return refused(error.done === 'no' ? 'no-leader' : 'timed-out');
  }
  return new StatusError(status.INTERNAL, 'etcdserver: internal error', { cause: error });
}
