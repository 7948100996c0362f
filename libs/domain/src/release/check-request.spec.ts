import type { ReleaseRequest } from '@pawl/contracts';
import { expect, it } from 'vitest';
import { checkRequest } from './check-request.js';

it.each([
  ['advance', {}, 'advance takes no preempt'],
  ['rollback', { targetVersion: 1 }, 'rollback takes no preempt'],
  ['promote', { conflict: 'queue' }, 'begins later'],
  ['promote', { conflict: 'requeue' }, 'begins later'],
  ['promote', { at: '2026-12-01T00:00:00Z' }, 'begins later'],
] as const)('refuses %s %j that is to pre-empt others', (action, more, detail) => {
  const request: ReleaseRequest = { action, ...more, preempt: ['acme/app/eu'] };
  expect(checkRequest(action, request)).toMatchObject({
    problem: {
      code: 'malformed-request',
      detail: expect.stringContaining(detail) as string,
    },
  });
});

it('takes a promote that pre-empts others and begins now', () => {
  const preempt = ['acme/app/eu'];
  const now: ReleaseRequest = { action: 'promote', preempt };
  expect(checkRequest('promote', now)).toBeUndefined();
  expect(checkRequest('promote', { ...now, conflict: 'supersede' })).toBeUndefined();
});
