import { status } from '@grpc/grpc-js';
import type { Refusal } from '../state/index.js';

/** A failure as it is told: gRPC's code, and a text behind {@link FAILURE_PREFIX}. */
export type Failure = readonly [status, string];

/** What etcd's texts begin with. */
export const FAILURE_PREFIX = 'etcdserver: ';

const { INVALID_ARGUMENT, OUT_OF_RANGE, NOT_FOUND, FAILED_PRECONDITION } = status;
const { RESOURCE_EXHAUSTED, DATA_LOSS } = status;

/**
 * How etcd 3.4 tells that it looked at a request and changed nothing (api/v3rpc/rpctypes/error.go):
 * clients compare the texts.
 */
export const REFUSALS = {
  'empty-key': [INVALID_ARGUMENT, 'key is not provided'],
  'key-not-found': [INVALID_ARGUMENT, 'key not found'],
  'value-provided': [INVALID_ARGUMENT, 'value is provided'],
  'lease-provided': [INVALID_ARGUMENT, 'lease is provided'],
  'too-many-operations': [INVALID_ARGUMENT, 'too many operations in txn request'],
  'duplicate-key': [INVALID_ARGUMENT, 'duplicate key given in txn request'],
  compacted: [OUT_OF_RANGE, 'mvcc: required revision has been compacted'],
  'future-revision': [OUT_OF_RANGE, 'mvcc: required revision is a future revision'],
  'no-space': [RESOURCE_EXHAUSTED, 'mvcc: database space exceeded'],
  'lease-not-found': [NOT_FOUND, 'requested lease not found'],
  'lease-exists': [FAILED_PRECONDITION, 'lease already exists'],
  'ttl-out-of-range': [OUT_OF_RANGE, 'too large lease TTL'],
  'too-large': [INVALID_ARGUMENT, 'request is too large'],
  corrupt: [DATA_LOSS, 'corrupt cluster'],
} as const satisfies Partial<Record<Refusal, Failure>>;
