import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;

beforeAll(async () => {
  test = await startTestApp();
});
afterAll(() => test.close());

async function preflight(payload: string) {
  const before = test.engine.calls.length;
  const answer = await test.app.inject({
    method: 'POST',
    url: '/v1/preflight/acme/shop:limits',
    headers: { 'content-type': 'application/json' },
    payload,
  });
  const reached = test.engine.calls.slice(before).map(({ args }) => args);
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>(), reached };
}

describe('a preflight', () => {
  it.each([
    {},
    { targetVersion: 3 },
    { targetVersion: 3, workload: 'checkout', timeoutMs: 30_000 },
  ])('of %j is for the engine, under an id of its own', async (wanted) => {
    const first = await preflight(JSON.stringify(wanted));
    const second = await preflight(JSON.stringify(wanted));
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ address: 'acme/shop:limits', valid: false });
    const [address, request, id] = first.reached[0] ?? [];
    expect(address).toMatchObject({ text: 'acme/shop:limits' });
    expect(request).toEqual(wanted);
    expect(id).toBe(first.body['id']);
    expect(second.body['id']).not.toBe(id);
  });

  it.each([
    ['{', 400, 'malformed-json'],
    ['[]', 400, 'malformed-request'],
    ['{"targetVersion":0}', 400, 'malformed-request'],
    ['{"timeoutMs":30001}', 400, 'malformed-request'],
    ['{"workload":"a.b"}', 400, 'malformed-request'],
    ['{"version":3}', 400, 'malformed-request'],
  ])('of %s is refused with %i', async (payload, status, code) => {
    const answer = await preflight(payload);
    expect(answer).toMatchObject({ status, body: { code }, reached: [] });
  });
});
