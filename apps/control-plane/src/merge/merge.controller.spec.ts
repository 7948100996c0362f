import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;
beforeEach(async () => {
  test = await startTestApp();
});
afterEach(() => test.close());

const TYPE = { 'content-type': 'application/json' };

async function put(at: string, document: object, headers: Record<string, string> = {}) {
  const url = `/v1/config/${at}`;
  const answer = await test.app.inject({
    ...{ method: 'PUT', url, headers: { ...TYPE, ...headers }, payload: JSON.stringify(document) },
  });
  expect(answer.statusCode).toBeLessThan(300);
}

function post(body: object, { url = '/v1/merge/acme/prod', headers = {} } = {}) {
  const payload = JSON.stringify(body);
  return test.app.inject({ method: 'POST', url, headers: { ...TYPE, ...headers }, payload });
}

const called = (name: string) => test.engine.calls.filter((call) => call.name === name);

describe('POST /v1/merge/{address}', () => {
  beforeEach(async () => {
    await put('acme/staging', { a: 1 });
    await put('acme/staging', { a: 2 }, { 'if-match': '*' });
  });

  it('hands the engine what the source had and has, and answers as a write does', async () => {
    const url = '/v1/merge/acme/prod?message=why';
    const answer = await post({ from: 'acme/staging', baseVersion: 1 }, { url });
    expect([answer.statusCode, answer.headers.etag]).toEqual([201, '"1"']);
    expect(answer.headers.location).toBe('/v1/config/acme/prod');
    expect(called('mergeConfig')[0]?.args).toMatchObject([
      { address: { text: 'acme/prod' }, message: 'why', precondition: { kind: 'none-given' } },
      {
        origin: { address: 'acme/staging', version: 2, baseVersion: 1 },
        ...{ base: { document: { a: 1 } }, theirs: { document: { a: 2 } }, resolve: {} },
      },
    ]);
    const blind = await post({ from: 'acme/staging', baseVersion: 1 });
    expect(blind.json()).toMatchObject({ status: 428, code: 'precondition-required' });
    const tagged = { headers: { 'if-match': '"1"' } };
    expect((await post({ from: 'acme/staging', baseVersion: 1 }, tagged)).statusCode).toBe(200);
  });

  it('tells what would be written, and writes nothing', async () => {
    const resolve = { '/a': 'ours', schema: 'theirs', '': 'ours' };
    const answer = await post({ from: 'acme/staging', resolve, dryRun: true });
    expect(answer.json()).toMatchObject({
      ...{ version: 1, conflictCount: 1, origin: { version: 2, baseVersion: 0 } },
    });
    expect(called('planMerge')[0]?.args[1]).toMatchObject({ resolve });
    expect(called('mergeConfig')).toEqual([]);
  });

  it.each([
    [{}],
    [{ from: 'acme/staging', resolve: { a: 'ours' } }],
    [{ from: 'acme/staging', resolve: { '/a': 'mine' } }],
    [{ from: 'acme/staging', baseVersion: -1 }],
    [{ from: 'acme/staging', fromVersion: 0 }],
    [{ from: 'acme/staging', dry: true }],
    [{ from: 'acme/prod' }],
  ])('refuses %o', async (body) => {
    const answer = await post(body);
    expect(answer.json()).toMatchObject({ status: 400, code: 'malformed-request' });
  });

  it('refuses more than a few at the same time', async () => {
    const waiting: (() => void)[] = [];
    const plan = test.engine.planMerge.bind(test.engine);
    test.engine.planMerge = async (...args) => {
      await new Promise<void>((go) => waiting.push(go));
      return plan(...args);
    };
    const dry = { from: 'acme/staging', dryRun: true };
    const all = Array.from({ length: 9 }, () => post(dry));
    const first = await Promise.race(all);
    expect(first.json()).toMatchObject({ status: 429, code: 'too-many-requests' });
    while (waiting.length < 8) await new Promise((go) => setImmediate(go));
    for (const go of waiting) go();
    const answers = (await Promise.all(all)).map(({ statusCode }) => statusCode);
    expect(answers.sort()).toEqual([...Array.from({ length: 8 }, () => 200), 429]);
  });
});

describe('GET /v1/diff/{address}?with=', () => {
  beforeEach(async () => {
    await put('acme/staging', { a: 1 });
    await put('acme/prod', { a: 1, b: 2 });
    await put('acme/prod', { a: 2 }, { 'if-match': '*' });
  });
  const get = async (query: string) =>
    (await test.app.inject(`/v1/diff/acme/staging?${query}`)).json<object>();

  it('compares two addresses, at their newest versions or those that are named', async () => {
    expect(await get('with=acme/prod')).toEqual({
      ...{ from: 1, to: 2, with: 'acme/prod' },
      patch: [{ op: 'replace', path: '/a', value: 2 }],
    });
    expect(await get('with=acme/prod&from=1&to=1')).toMatchObject({
      patch: [{ op: 'add', path: '/b', value: 2 }],
    });
    expect(await get('with=acme/prod&effective=true')).toMatchObject({
      ...{ from: 1, to: 1, effective: true, patch: [] },
    });
  });

  it.each([
    ['with=A', 'malformed-address'],
    ['with=acme/prod&effective=true&from=1', 'malformed-request'],
    ['effective=true', 'malformed-request'],
    ['from=1', 'malformed-request'],
    ['with=acme/none', 'not-found'],
  ])('refuses %s', async (query, code) => {
    expect(await get(query)).toMatchObject({ code });
  });
});
