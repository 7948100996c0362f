import type { CommandContext, WriteOptions } from '@pawl/engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;

beforeAll(async () => {
  test = await startTestApp();
});
afterAll(() => test.close());

interface Call {
  readonly method?: 'PUT' | 'POST' | 'GET' | 'DELETE';
  readonly url: string;
  readonly headers?: Record<string, string>;
  readonly payload?: string;
}

async function call({ method = 'PUT', url, headers = {}, payload }: Call) {
  const body = payload ?? (method === 'PUT' ? '{}' : undefined);
  const answer = await test.app.inject({
    method,
    url,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
  const result = { status: answer.statusCode, headers: answer.headers };
  return { ...result, ...answer.json<Record<string, unknown>>() };
}

const lastWrite = (): WriteOptions => test.engine.calls.at(-1)?.args[0] as WriteOptions;

describe('who asks', () => {
  it('is anonymous without a header', async () => {
    await call({ url: '/v1/config/who/none' });
    expect(lastWrite().context).toEqual({ actor: 'anonymous' });
  });

  it.each([
    ['ann', 'ann'],
    ['ann <ann@example.org>', 'ann <ann@example.org>'],
    [Buffer.from('Jörg', 'utf8').toString('latin1'), 'Jörg'],
    ['x'.repeat(128), 'x'.repeat(128)],
  ])('is %s', async (header, actor) => {
    await call({ url: '/v1/config/who/ann', headers: { 'x-pawl-actor': header, 'if-match': '*' } });
    expect(lastWrite().context.actor).toBe(actor);
  });

  it.each(['', ' ', 'x'.repeat(129), 'a\tb', '\xff', 'a\x85b'])('is not %j', async (header) => {
    const headers = { 'x-pawl-actor': header };
    expect(await call({ url: '/v1/config/who/bad', headers })).toMatchObject({
      status: 400,
      code: 'malformed-request',
    });
  });
});

describe('why', () => {
  it.each([
    ['%C3%A4+%26+b', 'ä & b'],
    ['x'.repeat(1024), 'x'.repeat(1024)],
    ['', undefined],
  ])('?message=%s', async (query, message) => {
    const url = `/v1/config/why/t?message=${query}`;
    await call({ url, headers: { 'if-none-match': '"9"' } });
    expect(lastWrite().message).toBe(message);
  });

  it.each(['%00', 'a%0Ab', '%7F', 'x'.repeat(1025), 'a&message=b'])(
    '?message=%s is 400',
    async (query) => {
      expect(await call({ url: `/v1/config/why/bad?message=${query}` })).toMatchObject({
        status: 400,
        code: 'malformed-request',
      });
    },
  );
});

describe('Idempotency-Key', () => {
  const url = '/v1/config/idem/a';
  const headers = { 'idempotency-key': 'key-1' };

  it('gives the first status and body again', async () => {
    const first = await call({ url, headers, payload: '{"a":1}' });
    const second = await call({ url, headers, payload: '{"a":1}' });
    expect(first).toMatchObject({ status: 201, version: 1 });
    expect(first.headers['location']).toBe('/v1/config/idem/a');
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    expect(second).toMatchObject({ status: 201, version: 1 });
    expect(second.headers).toMatchObject({ etag: '"1"', 'idempotency-replayed': 'true' });
  });

  it.each([
    ['another body', { url, headers, payload: '{"a":2}' }],
    ['the same body spelled otherwise', { url, headers, payload: '{ "a":1}' }],
    ['another message', { url: `${url}?message=x`, headers, payload: '{"a":1}' }],
    [
      'another precondition',
      { url, headers: { ...headers, 'if-match': '"1"' }, payload: '{"a":1}' },
    ],
    [
      'another exclusion',
      { url, headers: { ...headers, 'if-none-match': '*' }, payload: '{"a":1}' },
    ],
  ])('is 422 with %s', async (_what, request) => {
    expect(await call(request)).toMatchObject({ status: 422, code: 'idempotency-key-reused' });
  });

  it('counts per method and path', async () => {
    expect(await call({ url: '/v1/config/idem/b', headers })).toMatchObject({ status: 201 });
    expect(await call({ url: '/v1/schema/idem/c', headers })).toMatchObject({ status: 201 });
  });

  it('reaches releases and deletions, too', async () => {
    await call({
      method: 'POST',
      url: '/v1/release/idem/a',
      headers,
      payload: '{"action":"promote"}',
    });
    const context = test.engine.calls.at(-1)?.args[2] as CommandContext;
    expect(context.idempotency?.key).toBe('POST /v1/release/idem/a key-1');
    expect(context.idempotency?.requestHash).toMatch(/^[0-9a-f]{64}$/);
    await call({
      method: 'DELETE',
      url: '/v1/schema/idem/a',
      headers: { ...headers, 'if-match': '*' },
    });
    expect(lastWrite().context.idempotency?.key).toBe('DELETE /v1/schema/idem/a key-1');
  });

  it.each(['', 'x'.repeat(129), 'ä', 'a\tb'])('is not %j', async (key) => {
    const answer = await call({ url: '/v1/config/idem/bad', headers: { 'idempotency-key': key } });
    expect(answer).toMatchObject({ status: 400, code: 'malformed-request' });
  });
});

describe('a release', () => {
  const release = (payload: string) =>
    call({ method: 'POST', url: '/v1/release/acme/shop', payload });

  it('hands over what it was asked', async () => {
    const wanted = {
      action: 'rollback',
      targetVersion: 3,
      expectedReleaseVersion: 0,
      reason: 'too slow',
      force: true,
    };
    expect(await release(JSON.stringify(wanted))).toMatchObject({ status: 200, state: 'idle' });
    expect(test.engine.calls.at(-1)?.args.slice(0, 2)).toMatchObject([
      { text: 'acme/shop' },
      wanted,
    ]);
  });

  it.each([
    ['{"action":"explode"}', 'unknown-action'],
    ['{"action":""}', 'unknown-action'],
    ['{}', 'malformed-request'],
    ['[]', 'malformed-request'],
    ['null', 'malformed-request'],
    ['{"action":1}', 'malformed-request'],
    ['{"action":"promote","dryRun":true}', 'malformed-request'],
    ['{"action":"promote","targetVersion":0}', 'malformed-request'],
    ['{"action":"promote","targetVersion":1.5}', 'malformed-request'],
    ['{"action":"promote","targetVersion":"1"}', 'malformed-request'],
    ['{"action":"promote","force":"yes"}', 'malformed-request'],
    ['{"action":"promote","reason":"a\\u0000b"}', 'malformed-request'],
    ['{"action":"promote","freezeException":"a\\u0000b"}', 'malformed-request'],
    ['{"action":"promote","conflict":"wait"}', 'malformed-request'],
  ])('%s is %s', async (payload, code) => {
    const before = test.engine.calls.length;
    expect(await release(payload)).toMatchObject({ status: 400, code });
    expect(test.engine.calls.length).toBe(before);
  });

  it('hands over a strategy as it is', async () => {
    for (const strategy of [
      'canary',
      'one-of-ours',
      { preset: 'exponential', startPercent: 0.5, factor: 2.5, bakeMs: 0, finalBakeMs: 1_000 },
      { stages: [{ count: 1, selector: { region: ['eu'] } }, { percent: 100 }], gates: [] },
    ]) {
      const wanted = { action: 'promote', strategy };
      expect(await release(JSON.stringify(wanted))).toMatchObject({ status: 200 });
      expect(test.engine.calls.at(-1)?.args[1]).toEqual(wanted);
    }
    const more = { conflict: 'supersede', freezeException: 'it is down', reason: 'seen enough' };
    for (const action of ['promote', 'skip']) {
      const answer = await release(JSON.stringify({ action, ...more }));
      expect(answer).toMatchObject({ status: 200 });
      expect(test.engine.calls.at(-1)?.args[1]).toEqual({ action, ...more });
    }
  });

  it.each([
    ['1', '', 'must be string or object'],
    ['{"percent":101}', '/percent', 'must be <= 100'],
    ['{"preset":"canary","bake":1}', '', 'must not have the key "bake"'],
    ['{"bakeMs":604800001}', '/bakeMs', 'must be <= 604800000'],
    ['{"preset":"canary","expireMs":59999}', '/expireMs', 'must be >= 60000'],
    ['{"preset":"canary","progressMs":999}', '/progressMs', 'must be >= 1000'],
    ['{"preset":"canary","expireMs":2592000001}', '/expireMs', 'must be <= 2592000000'],
    ['{"stages":[{"percent":5},{"percent":101}]}', '/stages/1/percent', 'must be <= 100'],
    ['{"stages":[{"count":1,"selector":{}}]}', '/stages/0/selector', 'must NOT have fewer than'],
    ['{"gates":[{"kind":"mood"}]}', '/gates/0/kind', 'must be one of ["rejections",'],
    ['{"gates":[{"kind":"lost","onFailure":"cry"}]}', '/gates/0/onFailure', 'must be one of'],
    [JSON.stringify({ stages: Array(65).fill({}) }), '/stages', 'must NOT have more than 64'],
  ])('says where a strategy is wrong: %s', async (strategy, pointer, message) => {
    const answer = await release(`{"action":"promote","strategy":${strategy}}`);
    expect(answer).toMatchObject({ status: 400, code: 'malformed-request' });
    expect((answer as { errors?: unknown }).errors).toEqual([
      {
        ...{ address: 'acme/shop', pointer: `/strategy${pointer}` },
        keyword: expect.any(String) as string,
        message: expect.stringContaining(message) as string,
      },
    ]);
  });

  it.each([
    ['"acme/shop/eu"', '', 'must be array'],
    ['[7]', '/0', 'must be string'],
    ['["acme/eu","acme/eu"]', '', 'must NOT have duplicate items'],
    [JSON.stringify(Array.from({ length: 101 }, (_, at) => `acme/${at}`)), '', 'more than 100'],
  ])('says where what is to be pre-empted is wrong: %s', async (preempt, pointer, message) => {
    const answer = await release(`{"action":"promote","preempt":${preempt}}`);
    expect(answer).toMatchObject({
      ...{ status: 400, code: 'malformed-request' },
      errors: [
        {
          pointer: `/preempt${pointer}`,
          message: expect.stringContaining(message) as string,
        },
      ],
    });
    const named = { action: 'promote', preempt: ['acme/shop/eu'] };
    expect(await release(JSON.stringify(named))).toMatchObject({ status: 200 });
    expect(test.engine.calls.at(-1)?.args[1]).toEqual(named);
  });

  it('says what the engine refuses', async () => {
    expect(await release('{"action":"abort"}')).toMatchObject({
      status: 409,
      code: 'invalid-transition',
    });
  });
});

describe('query parameters', () => {
  it.each([
    '/v1/config/acme?version=x',
    '/v1/config/acme?version=0',
    '/v1/config/acme?version=-1',
    '/v1/config/acme?version=1.5',
    '/v1/config/acme?version=',
    '/v1/config/acme?version=99999999999999999999',
    '/v1/config/acme?version=1&version=2',
    '/v1/config/acme?verison=1',
    '/v1/config/acme?__proto__=1',
    '/v1/effective/acme?explain=maybe',
    '/v1/effective/acme?consumerId=a.b',
    '/v1/consumers/acme?state=happy',
    '/v1/consumers/acme?limit=0',
    '/v1/consumers/acme?state=left',
    '/v1/consumers/acme?workload=shop',
    '/v1/consumers/acme?at=yesterday',
    '/v1/consumers/acme?at=2h&consumerId=a/b',
    '/v1/history/acme?limit=1001',
    '/v1/history/acme?limit=ten',
    '/v1/history/acme?cursor=',
    '/v1/history/acme?cursor=a%20b',
    '/v1/diff/acme',
    '/v1/diff/acme?from=1',
    '/v1/diff/acme?from=1&to=x',
    '/v1/scopes?prefix=acme/',
    '/v1/scopes?prefix=Acme',
    '/v1/scopes?prefix=acme:limits',
    '/v1/audit?limit=-1',
    '/v1/audit?since=',
    '/v1/changes?since=yesterday',
    '/v1/changes?since=1w',
    '/v1/changes?since=-1h',
    '/v1/changes?since=2026-01-02',
    '/v1/changes?since=2026-13-02T03:04:05Z',
    '/v1/changes?since=0000-12-31T23:59:59Z',
    '/v1/changes?since=9999-12-31T23:59:59-01:00',
    '/v1/changes?since=2026-01-02T03:04:05+01:00',
    '/v1/releases?state=idle',
    '/v1/releases?since=1h',
    '/v1/releases?state=paused&since=1h',
    '/v1/releases?state=ended&since=never',
    '/v1/releases?prefix=acme',
    '/v1/releases/',
    '/v1/releases/acme/prod',
    '/v1/releases/%61',
    '/v1/releases/r1?state=paused',
    '/v1/cluster?x=1',
  ])('%s is 400', async (url) => {
    const before = test.engine.calls.length;
    expect(await call({ method: 'GET', url })).toMatchObject({
      status: 400,
      code: 'malformed-request',
    });
    expect(test.engine.calls.length).toBe(before);
  });

  it.each([
    ['/v1/diff/acme?from=1&to=2', 'diff', [{ text: 'acme' }, 1, 2]],
    ['/v1/history/acme', 'listHistory', [{ text: 'acme' }, { limit: 100 }]],
    [
      '/v1/history/acme?limit=1000&cursor=abc%3D',
      'listHistory',
      [{}, { limit: 1000, cursor: 'abc=' }],
    ],
    ['/v1/audit?limit=1', 'listAudit', [{ limit: 1 }]],
    ['/v1/changes?since=90m', 'listAudit', [{ limit: 100, withinMs: 5_400_000 }]],
    ['/v1/changes?since=999999999d&cursor=7', 'listAudit', [{ limit: 100, cursor: '7' }]],
    [
      '/v1/audit?since=2026-01-02T03:04:05%2B01:00',
      'listAudit',
      [{ limit: 100, since: '2026-01-02T03:04:05+01:00' }],
    ],
    ['/v1/releases?limit=5&cursor=acme', 'listReleases', [{ limit: 5, cursor: 'acme' }]],
    ['/v1/releases?state=paused', 'listReleases', [{ limit: 100, state: 'paused' }]],
    ['/v1/releases/r1', 'sumUpRelease', [{ text: 'acme/shop' }, 'r1']],
    ['/v1/releases/r0', 'endedRelease', ['r0']],
    [
      '/v1/releases?state=ended&since=1h&limit=5&cursor=7',
      'listEndedReleases',
      [{ limit: 5, cursor: '7', withinMs: 3_600_000 }],
    ],
    [
      '/v1/consumers/acme?at=2h&state=left&workload=shop&consumerId=a',
      'consumersThen',
      [{}, { limit: 100, withinMs: 7_200_000, state: 'left', workload: 'shop', consumerId: 'a' }],
    ],
    [
      '/v1/consumers/acme?at=2026-01-02T03:04:05Z',
      'consumersThen',
      [{}, { limit: 100, at: '2026-01-02T03:04:05Z' }],
    ],
    ['/v1/consumers/acme?state=lagging', 'listConsumers', [{}, { limit: 100, state: 'lagging' }]],
    ['/v1/scopes?prefix=acme%2Fprod', 'listScopes', [{ limit: 100, prefix: 'acme/prod' }]],
    ['/v1/effective/acme?explain', 'getEffective', [{}, { explain: true }]],
    ['/v1/effective/acme?explain=false', 'getEffective', [{}, { explain: false }]],
    [
      '/v1/effective/acme?consumerId=h_1&workload=w',
      'getEffective',
      [{}, { explain: false, consumerId: 'h_1', workload: 'w' }],
    ],
  ])('%s', async (url, name, args) => {
    expect(await call({ method: 'GET', url })).toMatchObject({ status: 200 });
    expect(test.engine.calls.at(-1)).toMatchObject({ name, args });
  });
});

describe('a failure inside', () => {
  it('is 500 without a word of what it was, and in the log', async () => {
    test.engine.fail = new Error('connect ECONNREFUSED postgres://u:hunter2@db');
    const answer = await call({ method: 'GET', url: '/v1/cluster' });
    test.engine.fail = undefined;
    expect(answer).toMatchObject({ status: 500, code: 'internal' });
    expect(JSON.stringify(answer)).not.toContain('hunter2');
    expect(test.logged.at(-1)).toMatchObject({
      level: 'error',
      method: 'GET',
      path: '/v1/cluster',
    });
  });
});
