import { PROBLEMS } from '@pawl/contracts';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsModule from 'ajv-formats';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LARGE_BODY_BYTES } from '../http/body-gate.js';
import { stagedRollout } from '../testing/fake-config-engine.js';
import { startTestApp, type TestApp } from '../testing/test-app.js';
import { openApiDocument } from './openapi-document.js';
import { OPERATIONS } from './operations.js';

interface OpenApi {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, OpenApiOperation>>;
  readonly components: { readonly schemas: Record<string, object> };
}
interface OpenApiOperation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Record<string, unknown> };
  readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

const document = openApiDocument() as unknown as OpenApi;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);
let test: TestApp;

beforeAll(async () => {
  const bodies = { smallBytes: 1_000_000, largeBytes: 0, waiting: 0, waitMs: 1 };
  test = await startTestApp([], { bodies });
  await test.app.inject({
    method: 'PUT',
    url: '/v1/schema/acme/shop',
    headers: { 'content-type': 'application/json' },
    payload: '{"type":"object"}',
  });
  await test.app.inject({
    method: 'PUT',
    url: '/v1/config/acme/staging',
    headers: { 'content-type': 'application/json' },
    payload: '{}',
  });
});
afterAll(() => test.close());

const ajv = new Ajv2020({ strict: false });
formatsModule.default(ajv);
ajv.addSchema(document, 'openapi.json');

/** What is wrong with a body by the schema that the document gives for it. */
function faults(at: { path: string; method: string; status: number }, body: unknown) {
  const { path, method, status } = at;
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  const answer = document.paths[path]?.[method]?.responses[String(status)];
  const schema = answer?.content?.[type]?.schema;
  if (schema === undefined) return `no ${status} ${type} for ${method} ${path}`;
  const validate = ajv.compile(
    JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi.json#/')) as object,
  );
  return validate(body) ? 'none' : ajv.errorsText(validate.errors);
}

describe('the document', () => {
  it('is served', async () => {
    const answer = await test.app.inject('/openapi.json');
    expect(answer.json()).toEqual(JSON.parse(JSON.stringify(document)));
    expect(document.openapi).toBe('3.1.0');
  });

  it('has exactly the routes that the server has', () => {
    const named = (path: string): string =>
      path.replace('*', path.startsWith('/v1/releases') ? '{id}' : '{address}');
    const served = test.routes
      .filter(({ method }) => method !== 'HEAD')
      .map(({ method, path }) => `${method.toLowerCase()} ${named(path)}`);
    const described = operations.map(({ method, path }) => `${method} ${path}`);
    expect(described.sort()).toEqual(served.sort());
    expect(served.length).toBeGreaterThan(15);
  });

  it('gives every operation an id of its own and declares its path parameters', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations) {
      const declared = operation.parameters.filter((parameter) => parameter.in === 'path');
      const [, inPath] = /\{(\w+)\}/.exec(path) ?? [];
      expect(declared.map(({ name }) => name)).toEqual(inPath === undefined ? [] : [inPath]);
    }
  });

  it('refers only to schemas that it has, and has none that nobody refers to', () => {
    const used = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    );
    expect([...new Set(used)].sort()).toEqual(Object.keys(document.components.schemas).sort());
  });

  it('names the parts of a release in stages once, and refers to them', () => {
    const { schemas } = document.components;
    const refs = (name: string): (string | undefined)[] => {
      const found = JSON.stringify(schemas[name]).matchAll(/schemas\/(\w+)"/g);
      return [...new Set([...found].map(([, to]) => to))].sort();
    };
    expect(refs('ReleaseRequest')).toEqual(['Strategy']);
    expect(refs('Strategy')).toEqual(['Gate', 'StrategyStage']);
    expect(refs('Release')).toEqual(['StagedRelease']);
    expect(refs('StagedRelease')).toEqual(['Gate', 'PolicyVersion', 'StrategyStage']);
    expect(refs('Rollout')).toEqual(['RolloutRelease']);
    expect(refs('RolloutRelease')).toEqual(['PolicyVersion', 'StrategyStage']);
    expect(refs('ReleaseTold')).toEqual(['EndedReleaseSummary', 'ReleaseSummary']);
    expect(refs('EndedReleaseSummary')).toEqual(['HistoryItem', 'PolicyVersion']);
    expect(refs('HistoryItem')).toEqual(['MergeOrigin', 'PolicyVersion', 'ReleaseEnd']);
  });

  it('has schemas that compile', () => {
    for (const name of Object.keys(document.components.schemas)) {
      expect(() => ajv.compile({ $ref: `openapi.json#/components/schemas/${name}` })).not.toThrow();
    }
  });
});

describe('the problems', () => {
  it('are each one of some operation', () => {
    const described = new Set(OPERATIONS.flatMap(({ problems }) => problems));
    expect([...described].sort()).toEqual(Object.keys(PROBLEMS).sort());
  });

  it.each(OPERATIONS)('of $operationId have their statuses described', (operation) => {
    const { path, method, problems } = operation;
    const responses = document.paths[path]?.[method]?.responses ?? {};
    const described = Object.keys(responses).filter((status) => Number(status) >= 400);
    const registered = problems.map((code) => String(PROBLEMS[code].status));
    const probe = path === '/readyz' ? ['503'] : [];
    expect(described.sort()).toEqual([...new Set([...registered, ...probe])].sort());
  });

  it.each(OPERATIONS)('that $method $path can always have are described', async (operation) => {
    const { path, method, body } = operation;
    const url = path.replace('{address}', 'acme/shop').replace('{id}', 'r1');
    const request = { method: method.toUpperCase() as 'PUT', url };
    const type = Object.keys(body ?? {})[0] ?? 'application/json';
    const provoke: [InjectOptions, number][] = [
      [{ ...request, headers: { host: 'evil.example' } }, 421],
      [{ ...request, method: 'TRACE' }, 405],
    ];
    if (method !== 'get') {
      provoke.push([{ ...request, headers: { origin: 'http://evil.example' } }, 403]);
    }
    if (body !== undefined) {
      const headers = { 'content-type': type };
      const packed = { ...headers, 'content-encoding': 'br' };
      const bodies: [Record<string, string>, string, number][] = [
        [{}, '{}', 415],
        [packed, '{}', 415],
        [headers, '{', 400],
        [headers, '['.repeat(200), 413],
        [headers, 'x'.repeat(LARGE_BODY_BYTES + 1), 429],
      ];
      for (const [given, payload, status] of bodies) {
        provoke.push([{ ...request, headers: given, payload }, status]);
      }
    }
    if (/^.v1.(config|schema)/.test(path) && method === 'get') {
      provoke.push([{ ...request, headers: { 'if-match': '"99"' } }, 412]);
    }
    for (const [given, status] of provoke) {
      const answer = await test.app.inject(given);
      expect(answer.statusCode).toBe(status);
      expect(faults({ path, method, status }, answer.json())).toBe('none');
    }
  });
});

describe('an answer', () => {
  const get = (path: string, query = '') => ({ method: 'get' as const, path, query });
  it.each([
    get('/v1/config/{address}'),
    get('/v1/schema/{address}'),
    get('/v1/release/{address}'),
    get('/v1/effective/{address}', '?explain=true'),
    get('/v1/effective/{address}', '?consumerId=host-1&workload=checkout'),
    get('/v1/rollout/{address}'),
    get('/v1/consumers/{address}'),
    get('/v1/history/{address}'),
    get('/v1/diff/{address}', '?from=1&to=1'),
    get('/v1/diff/{address}', '?with=acme/staging'),
    get('/v1/scopes'),
    get('/v1/cluster'),
    get('/v1/audit'),
    get('/v1/changes', '?since=1h'),
    get('/v1/webhooks'),
    get('/v1/releases'),
    get('/v1/releases/{id}'),
    get('/v1/releases', '?state=ended&since=1h'),
    get('/healthz'),
    get('/readyz'),
    get('/openapi.json'),
  ])('of $method $path is as described', async ({ method, path, query }) => {
    const url = path.replace('{address}', 'acme/shop').replace('{id}', 'r1') + query;
    const answer = await test.app.inject({ method: 'GET', url });
    expect(answer.statusCode).toBe(200);
    expect(faults({ path, method, status: 200 }, answer.json())).toBe('none');
  });

  const write = (method: string, path: string, payload: string, type = 'application/json') => ({
    method,
    path,
    payload,
    type,
  });
  it.each([
    write('put', '/v1/config/{address}', '{}'),
    write('patch', '/v1/config/{address}', '{}', 'application/merge-patch+json'),
    write('patch', '/v1/config/{address}', '[]', 'application/json-patch+json'),
    write('put', '/v1/schema/{address}', '{}'),
    write('post', '/v1/release/{address}', '{"action":"promote"}'),
    write('post', '/v1/release/{address}', '{"action":"promote","strategy":"canary"}'),
    write('post', '/v1/preview/{address}', '{"document":{}}'),
    write('post', '/v1/preflight/{address}', '{"targetVersion":2}'),
    write('post', '/v1/merge/{address}', '{"from":"acme/staging","baseVersion":1,"dryRun":true}'),
    write('post', '/v1/webhooks/retry', '{"webhook":"hooks-1"}'),
    write('delete', '/v1/schema/{address}', ''),
  ])('of $method $path ($type) is as described', async ({ method, path, payload, type }) => {
    const content = document.paths[path]?.[method]?.requestBody?.content ?? {};
    if (payload !== '') expect(Object.keys(content)).toContain(type);
    const answer = await test.app.inject({
      method: method.toUpperCase() as 'PUT',
      url: path.replace('{address}', 'acme/shop'),
      headers: {
        ...(payload === '' ? {} : { 'content-type': type }),
        ...(method === 'post' ? {} : { 'if-match': '*' }),
      },
      ...(payload === '' ? {} : { payload }),
    });
    expect(answer.statusCode).toBe(200);
    expect(faults({ path, method, status: 200 }, answer.json())).toBe('none');
  });

  it('of a rollout in stages is as described', async () => {
    const before = test.engine.rollout;
    test.engine.rollout = stagedRollout('acme/shop');
    const answer = await test.app.inject('/v1/rollout/acme/shop');
    test.engine.rollout = before;
    const at = { path: '/v1/rollout/{address}', method: 'get', status: 200 };
    expect(faults(at, answer.json())).toBe('none');
    const body = answer.json<{ releases: object[] }>();
    const [release] = body.releases;
    for (const wrong of [{ stage: -1 }, { stages: [{ percent: 101 }] }, { candidates: {} }]) {
      expect(faults(at, { ...body, releases: [{ ...release, ...wrong }] })).not.toBe('none');
    }
  });

  it('of a release that has ended is as described', async () => {
    const answer = await test.app.inject('/v1/releases/r0');
    const at = { path: '/v1/releases/{id}', method: 'get', status: 200 };
    const body = answer.json<object>();
    expect([body, faults(at, body)]).toEqual([expect.objectContaining({ state: 'ended' }), 'none']);
    const odd = [{ outcome: 'lost' }, { policyVersion: {} }, { transitions: [{}] }, { stages: 0 }];
    for (const wrong of odd) expect(faults(at, { ...body, ...wrong })).not.toBe('none');
  });

  it.each([
    ['get', '/v1/config/{address}', 'A', 400],
    ['get', '/v1/config/{address}', 'nothing/here', 404],
    ['get', '/v1/rollout/{address}', 'nothing/here', 404],
  ])('of %s %s with %s is a problem as described', async (method, path, at, status) => {
    const answer = await test.app.inject(path.replace('{address}', at));
    expect(answer.statusCode).toBe(status);
    expect(faults({ path, method, status: status }, answer.json())).toBe('none');
  });
});
