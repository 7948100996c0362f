import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { refused, toStatusError } from '../etcd-api/status-error.js';
import type { Refusal } from '../state/index.js';
import { judgeFailure } from './judge-failure.js';

/** As a client gets it. */
const failure = (code: status, details: string) =>
  judgeFailure(Object.assign(new Error(details), { code, details }));
const done = (how: 'no' | 'unknown') => ({ kind: 'failed', done: how });

describe('a call that failed', () => {
  it.each<[Refusal, status, string]>([
    ['empty-key', status.INVALID_ARGUMENT, 'key is not provided'],
    ['key-not-found', status.INVALID_ARGUMENT, 'key not found'],
    ['value-provided', status.INVALID_ARGUMENT, 'value is provided'],
    ['lease-provided', status.INVALID_ARGUMENT, 'lease is provided'],
    ['too-many-operations', status.INVALID_ARGUMENT, 'too many operations in txn request'],
    ['duplicate-key', status.INVALID_ARGUMENT, 'duplicate key given in txn request'],
    ['compacted', status.OUT_OF_RANGE, 'mvcc: required revision has been compacted'],
    ['future-revision', status.OUT_OF_RANGE, 'mvcc: required revision is a future revision'],
    ['no-space', status.RESOURCE_EXHAUSTED, 'mvcc: database space exceeded'],
    ['lease-not-found', status.NOT_FOUND, 'requested lease not found'],
    ['lease-exists', status.FAILED_PRECONDITION, 'lease already exists'],
    ['ttl-out-of-range', status.OUT_OF_RANGE, 'too large lease TTL'],
    ['too-large', status.INVALID_ARGUMENT, 'request is too large'],
    ['corrupt', status.DATA_LOSS, 'corrupt cluster'],
  ])('was refused: %s, and our own API says it in the same words', (refusal, code, text) => {
    expect(failure(code, `etcdserver: ${text}`)).toEqual({ kind: 'refused', refusal });
    const { code: ours, message } = refused(refusal);
    expect([ours, message]).toEqual([code, `etcdserver: ${text}`]);
  });

  it('was refused as too large where the server did not even read it', () => {
    const said = 'Received message larger than max (2097200 vs. 2097152)';
    const judgement = { kind: 'refused', refusal: 'too-large' };
    expect(failure(status.RESOURCE_EXHAUSTED, said)).toEqual(judgement);
    const go = 'grpc: received message larger than max (3000000 vs. 2097152)';
    expect(failure(status.RESOURCE_EXHAUSTED, go)).toEqual(judgement);
  });

  it.each([
    [status.UNAVAILABLE, 'etcdserver: no leader'],
    [status.RESOURCE_EXHAUSTED, 'etcdserver: too many requests'],
    [status.UNAVAILABLE, 'etcdserver: not capable'],
    [status.INVALID_ARGUMENT, 'etcdserver: user name is empty'],
    [status.UNIMPLEMENTED, 'unknown method'],
    [status.UNAUTHENTICATED, 'etcdserver: invalid auth token'],
    [status.PERMISSION_DENIED, 'etcdserver: permission denied'],
  ])('was surely not done: %i %s', (code, details) => {
    expect(failure(code, details)).toEqual(done('no'));
  });

  it.each([
    [status.UNAVAILABLE, 'etcdserver: request timed out'],
    [status.UNAVAILABLE, 'etcdserver: request timed out, possibly due to previous leader failure'],
    [status.UNAVAILABLE, 'etcdserver: leader changed'],
    [status.UNAVAILABLE, 'etcdserver: server stopped'],
    [status.UNAVAILABLE, 'Connection dropped'],
    [status.CANCELLED, 'Call cancelled'],
    [status.DEADLINE_EXCEEDED, 'Deadline exceeded'],
    [status.INTERNAL, 'Received RST_STREAM with code 2'],
    [status.RESOURCE_EXHAUSTED, 'something else'],
    [status.UNKNOWN, ''],
  ])('may have been done: %i %s', (code, details) => {
    expect(failure(code, details)).toEqual(done('unknown'));
  });

  it('may have been done when what was thrown says nothing', () => {
    for (const thrown of [new Error('gone'), {}, 'text']) {
      expect(judgeFailure(thrown)).toEqual(done('unknown'));
    }
  });

  it('says of our own API what its node knew', () => {
    for (const how of ['no', 'unknown'] as const) {
      const { code, message } = toStatusError(new MetadataUnavailableError('away', how));
      expect(failure(code, message)).toEqual(done(how));
    }
  });
});
