import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;
let address: string;
let counter = 0;

beforeAll(async () => {
  test = await startTestApp();
});
afterAll(() => test.close());

/** Every test has an address of its own, at version 3. */
beforeEach(async () => {
  counter += 1;
  address = `acme/t${counter}`;
  await write('PUT', { 'if-none-match': '*' });
  await write('PUT', { 'if-match': '*' });
  await write('PUT', { 'if-match': '"2"' });
});

type Headers = Record<string, string>;

async function write(method: 'PUT' | 'PATCH' | 'DELETE', headers: Headers, at = address) {
  const resource = method === 'DELETE' ? 'schema' : 'config';
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const answer = await test.app.inject({
    method,
    url: `/v1/${resource}/${at}`,
    headers: method === 'DELETE' ? headers : { 'content-type': type, ...headers },
    ...(method === 'DELETE' ? {} : { payload: '{"a":1}' }),
  });
  const body = answer.json<{ code?: string; version?: number; currentVersion?: number }>();
  return { status: answer.statusCode, etag: answer.headers['etag'], ...body };
}

async function read(headers: Headers, url = `/v1/config/${address}`) {
  const answer = await test.app.inject({ method: 'GET', url, headers });
  return { status: answer.statusCode, etag: answer.headers['etag'], body: answer.body };
}

describe('a write over version 3', () => {
  it.each([
    ['If-Match: "3"', { 'if-match': '"3"' }],
    ['If-Match: "1", "3"', { 'if-match': '"1", "3"' }],
    ['If-Match: *', { 'if-match': '*' }],
    ['a tag of somebody else among them', { 'if-match': '"abc", "3"' }],
    ['If-None-Match: "2"', { 'if-none-match': '"2"' }],
    ['If-None-Match: "abc"', { 'if-none-match': '"abc"' }],
  ])('%s makes version 4', async (_what, headers) => {
    expect(await write('PUT', headers)).toMatchObject({ status: 200, version: 4, etag: '"4"' });
  });

  it.each([
    ['If-Match: "2"', { 'if-match': '"2"' }],
    ['If-Match: "4"', { 'if-match': '"4"' }],
    ['a weak tag', { 'if-match': 'W/"3"' }],
    ['a tag that is no version', { 'if-match': '"abc"' }],
    ['leading zeros', { 'if-match': '"03"' }],
    ['an empty tag', { 'if-match': '""' }],
    ['If-None-Match: *', { 'if-none-match': '*' }],
    ['If-None-Match: "3"', { 'if-none-match': '"3"' }],
    ['If-None-Match: W/"3"', { 'if-none-match': 'W/"3"' }],
    ['If-None-Match: "2", "3"', { 'if-none-match': '"2", "3"' }],
  ])('%s is 412 and changes nothing', async (_what, headers) => {
    for (const method of ['PUT', 'PATCH', 'DELETE'] as const) {
      expect(await write(method, headers)).toMatchObject({
        status: 412,
        code: 'version-mismatch',
        currentVersion: 3,
      });
    }
    expect((await read({})).etag).toBe('"3"');
  });

  it.each([
    ['an unquoted number', { 'if-match': '3' }, 'write "3"'],
    ['an unquoted number among tags', { 'if-match': '"1", 3' }, 'write "3"'],
    ['half a quote', { 'if-match': '"3' }, 'not an entity tag'],
    ['a lower-case w', { 'if-match': 'w/"3"' }, 'not an entity tag'],
    ['nothing', { 'if-match': '' }, 'is empty'],
    ['a star among tags', { 'if-match': '"3", *' }, 'not an entity tag'],
    ['an unquoted number to exclude', { 'if-none-match': '3' }, 'write "3"'],
    ['both headers', { 'if-match': '"3"', 'if-none-match': '*' }, 'exclude each other'],
    ['a list without end', { 'if-match': Array(65).fill('"1"').join(',') }, 'more than 64'],
  ])('%s is 400', async (_what, headers, says) => {
    for (const method of ['PUT', 'PATCH', 'DELETE'] as const) {
      const answer = await write(method, headers);
      expect(answer).toMatchObject({ status: 400, code: 'malformed-precondition' });
      expect((answer as unknown as { detail: string }).detail).toContain(says);
    }
  });

  it('needs a precondition', async () => {
    for (const method of ['PUT', 'PATCH', 'DELETE'] as const) {
      expect(await write(method, {})).toMatchObject({ status: 428, code: 'precondition-required' });
    }
  });
});

describe('a write of what is not there', () => {
  it.each([
    ['no precondition', {}, 201],
    ['If-None-Match: *', { 'if-none-match': '*' }, 201],
    ['If-None-Match: "3"', { 'if-none-match': '"3"' }, 201],
    ['If-Match: *', { 'if-match': '*' }, 412],
    ['If-Match: "1"', { 'if-match': '"1"' }, 412],
  ])('with %s', async (_what, headers, status) => {
    expect(await write('PUT', headers as Headers, `new/${address}`)).toMatchObject({ status });
  });

  it('by PATCH is 404', async () => {
    expect(await write('PATCH', { 'if-match': '*' }, `new/${address}`)).toMatchObject({
      status: 404,
      code: 'not-found',
    });
  });
});

describe('a release', () => {
  it.each(['if-match', 'if-none-match'])(
    'refuses %s, which it would have to ignore',
    async (name) => {
      const answer = await test.app.inject({
        method: 'POST',
        url: '/v1/release/acme',
        headers: { 'content-type': 'application/json', [name]: '"1"' },
        payload: '{"action":"promote"}',
      });
      expect(answer.statusCode).toBe(400);
      expect(answer.json()).toMatchObject({ code: 'malformed-precondition' });
    },
  );
});

describe('a read of version 3', () => {
  it.each([
    [{}, 200],
    [{ 'if-none-match': '"2"' }, 200],
    [{ 'if-none-match': '"3"' }, 304],
    [{ 'if-none-match': 'W/"3"' }, 304],
    [{ 'if-none-match': '"x", "3"' }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-match': '"3"' }, 200],
    [{ 'if-match': '*' }, 200],
    [{ 'if-match': 'W/"3"' }, 412],
    [{ 'if-match': '"2"' }, 412],
    [{ 'if-none-match': '3' }, 400],
  ])('%j is %i', async (headers, status) => {
    const answer = await read(headers);
    expect(answer.status).toBe(status);
    if (status < 400) expect(answer.etag).toBe('"3"');
    if (status === 304) expect(answer.body).toBe('');
  });

  it('of an older version carries its tag', async () => {
    expect(await read({}, `/v1/config/${address}?version=2`)).toMatchObject({ etag: '"2"' });
  });
});
