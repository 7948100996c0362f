import type { RestoreView } from '@pawl/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTestApp } from '../testing/test-app.js';
import type { TestApp } from '../testing/test-app.js';

let app: TestApp;
beforeEach(async () => {
  app = await startTestApp();
});
afterEach(() => app.close());

const VIEW: RestoreView = {
  generation: 1,
  shards: [
    {
      shard: 3,
      behind: {
        since: '2026-01-02T03:04:05.678Z',
        addresses: [
          {
            address: 'acme/app',
            held: { generation: 1, version: 9 },
            has: { generation: 1, version: 4 },
          },
        ],
      },
    },
  ],
};

const accept = (body: unknown, headers: Record<string, string> = {}) =>
  app.app.inject({
    method: 'POST',
    url: '/v1/restore/accept',
    headers: { 'content-type': 'application/json', ...headers },
    payload: JSON.stringify(body),
  });

it('tells what PostgreSQL lacks', async () => {
  app.restore.view = VIEW;
  const answer = await app.app.inject({ method: 'GET', url: '/v1/restore' });
  expect([answer.statusCode, answer.json()]).toEqual([200, VIEW]);
});

it('accepts it for somebody, with a reason', async () => {
  const seen = { generation: 1, shards: [3] };
  const answer = await accept({ reason: 'lost', ...seen }, { 'x-pawl-actor': 'ada' });
  expect([answer.statusCode, answer.json()]).toEqual([200, { accepted: true, generation: 2 }]);
  expect(app.restore.accepted).toEqual([{ actor: 'ada', reason: 'lost', seen }]);
});

const SEEN = { generation: 1, shards: [3] };

it.each([
  {},
  SEEN,
  { reason: '', ...SEEN },
  { reason: 7, ...SEEN },
  { reason: 'a', more: 1, ...SEEN },
  { reason: 'a\nb', ...SEEN },
  { reason: 'a' },
  { reason: 'a', generation: 1 },
  { reason: 'a', shards: [3] },
  { reason: 'a', generation: '1', shards: [3] },
  { reason: 'a', generation: 1, shards: ['3'] },
  { reason: 'a', generation: 1, shards: [-1] },
  [],
])('refuses %j', async (body) => {
  const answer = await accept(body);
  expect([answer.statusCode, answer.json()]).toMatchObject([400, { code: 'malformed-request' }]);
  expect(app.restore.accepted).toEqual([]);
});
