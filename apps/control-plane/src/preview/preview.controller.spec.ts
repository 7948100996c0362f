import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;

beforeAll(async () => {
  test = await startTestApp();
});
afterAll(() => test.close());

async function preview(payload: string) {
  const before = test.engine.calls.length;
  const answer = await test.app.inject({
    method: 'POST',
    url: '/v1/preview/acme/shop',
    headers: { 'content-type': 'application/json' },
    payload,
  });
  const reached = test.engine.calls.slice(before).map(({ args }) => args[1]);
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>(), reached };
}

const deep = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);

describe('a preview', () => {
  it.each(['[1]', 'null', '7', '"x"'])('of the document %s is for the engine', async (document) => {
    const { status, reached } = await preview(`{"document":${document}}`);
    expect(status).toBe(200);
    expect(reached).toEqual([{ document: JSON.parse(document) as unknown }]);
  });

  it('of a promote is for the engine', async () => {
    const promote = { strategy: { preset: 'canary', percent: 0.5 }, conflict: 'supersede' };
    const { status, reached } = await preview(JSON.stringify({ promote }));
    expect([status, reached]).toEqual([200, [{ promote }]]);
  });

  it('may hold a document that is as deep as one by itself', async () => {
    expect((await preview(`{"document":${deep(64)}}`)).reached).toHaveLength(1);
    expect((await preview(`{"document":${deep(65)}}`)).body).toMatchObject({ valid: false });
  });

  it.each([
    ['{"document":{"a":{"n":9007199254740993}}}', 'number-not-representable', '/a/n'],
    ['{"document":{"__proto__":1}}', 'forbidden-key', '/__proto__'],
    ['{"document":{"a":[{"b":1,"b":2}]}}', 'duplicate-key', '/a/0/b'],
    ['{"schema":{"title":"\\ud800"}}', 'lone-surrogate', '/title'],
    ['{"schema":{"maximum":1e400}}', 'number-not-representable', '/maximum'],
  ])('of %s is not valid, and says where', async (payload, keyword, pointer) => {
    const { status, body, reached } = await preview(payload);
    expect(status).toBe(200);
    expect(body).toMatchObject({ valid: false, patch: [], addresses: [] });
    expect(body['errors']).toMatchObject([{ address: 'acme/shop', pointer, keyword }]);
    expect(reached).toEqual([]);
  });

  it.each([
    ['{"document":{', 400, 'malformed-json'],
    ['{"document":{},"document":{}}', 400, 'duplicate-key'],
    ['{"documents":{"n":9007199254740993}}', 400, 'number-not-representable'],
    ['{"documents":{}}', 400, 'malformed-request'],
    ['[]', 400, 'malformed-request'],
    ['{"promote":{"strategies":"canary"}}', 400, 'malformed-request'],
    ['{"promote":{"targetVersion":0}}', 400, 'malformed-request'],
  ])('of %s is %i', async (payload, status, code) => {
    const answer = await preview(payload);
    expect(answer).toMatchObject({ status, body: { code }, reached: [] });
  });
});
