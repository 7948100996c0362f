import type { AddressText } from '@pawl/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startTestApp } from '../testing/test-app.js';
import type { TestApp } from '../testing/test-app.js';

let app: TestApp;
beforeEach(async () => {
  app = await startTestApp();
});
afterEach(() => app.close());

const WELL = {
  ...{ name: 'hooks-1', site: 'https://hooks.example.com', state: 'delivering' },
  ...{ failures: 0, setAside: 0, waiting: 0 },
};

const retry = (body: unknown) =>
  app.app.inject({
    method: 'POST',
    url: '/v1/webhooks/retry',
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(body),
  });

it('tells how each does', async () => {
  const { outbox } = app.webhooks;
  await outbox.begin(['hooks-1']);
  const line = { at: '2026-01-02T03:04:05.678Z', author: 'ann', kind: 'release' } as const;
  outbox.append({ ...line, address: 'acme/app' as AddressText });
  const answer = await app.app.inject('/v1/webhooks');
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toEqual({
    items: [{ ...WELL, waiting: 1, oldestWaitingMs: expect.any(Number) as number }],
  });
  const refused = await app.app.inject('/v1/webhooks?limit=1');
  expect([refused.statusCode, refused.json()]).toMatchObject([400, { code: 'malformed-request' }]);
});

it('tries one now', async () => {
  const answer = await retry({ webhook: 'hooks-1' });
  expect([answer.statusCode, answer.json()]).toEqual([200, WELL]);
  expect(app.webhooks.looked).toEqual(['hooks-1']);
});

it.each([
  [{}, 400, 'malformed-request'],
  [{ webhook: '' }, 400, 'malformed-request'],
  [{ webhook: 'hooks-1', more: 1 }, 400, 'malformed-request'],
  [{ webhook: 'hooks-2' }, 404, 'not-found'],
])('refuses %j', async (body, status, code) => {
  const answer = await retry(body);
  expect([answer.statusCode, answer.json()]).toMatchObject([status, { code }]);
  expect(app.webhooks.looked).toEqual([]);
});
