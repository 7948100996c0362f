import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ProblemCode } from '@pawl/contracts';
import type { HttpAnswer, HttpRequest } from '../support/stack-http.js';
import { startStack, type TestStack } from '../support/stack.js';

const ADDRESS = 'acme/app';
const CONFIG = `/v1/config/${ADDRESS}`;
const AT_ONE = { 'if-match': '"1"' };
const KIBIBYTE = 1024;

let stack: TestStack;
let pid: number;
beforeAll(async () => {
  stack = await startStack();
  pid = stack.controlPlane.pid;
  const admin = stack.admin('ada');
  const schema = { type: 'object', properties: { max: { type: 'integer' } } };
  await admin.putSchema('acme', { json: schema });
  await admin.release('acme', { action: 'promote' });
  await admin.putConfig(ADDRESS, { json: { max: 1 } });
  await admin.release(ADDRESS, { action: 'promote' });
});
afterAll(() => stack?.stop());

let truth: string;
beforeEach(async () => {
  truth = await stack.truth();
});

/** The same process lives on, answers, and would take the next write. */
afterEach(async () => {
  expect(stack.controlPlane.pid).toBe(pid);
  expect(() => process.kill(pid, 0)).not.toThrow();
  expect((await stack.send({ path: '/healthz' })).status).toBe(200);
  expect((await stack.send({ path: '/readyz' })).status).toBe(200);
});

function expectProblem(answer: HttpAnswer, status: number, code: ProblemCode): void {
  expect(answer, answer.text).toMatchObject({ status });
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.problem()).toMatchObject({ type: `urn:pawl:problem:${code}`, status, code });
  expect(answer.problem().title).not.toBe('');
  expect(answer.problem().detail).not.toBe('');
}

async function expectRefused(
  request: HttpRequest,
  status: number,
  code: ProblemCode,
): Promise<HttpAnswer> {
  const answer = await stack.send(request);
  expectProblem(answer, status, code);
  expect(await stack.truth()).toBe(truth);
  return answer;
}

const put = (body: string | Buffer, headers = {}): HttpRequest => ({
  method: 'PUT',
  path: CONFIG,
  headers: { ...AT_ONE, ...headers },
  body,
});

describe('a body that is refused', () => {
  const nested = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);
  const bodies: readonly [string, string | Buffer, number, ProblemCode][] = [
    ['cut off', '{"max":', 400, 'malformed-json'],
    ['empty', '', 400, 'malformed-json'],
    ['JSON with a comment', '{"max":1} // one', 400, 'malformed-json'],
    ['NaN', '{"max":NaN}', 400, 'malformed-json'],
    [
      'not UTF-8',
      Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
      400,
      'malformed-json',
    ],
    ['an array', '[1]', 400, 'not-an-object'],
    ['nothing', 'null', 400, 'not-an-object'],
    ['5 MiB', JSON.stringify({ text: 'x'.repeat(5 * KIBIBYTE * KIBIBYTE) }), 413, 'too-large'],
    [
      'above 960 KiB as a document',
      JSON.stringify({ text: 'x'.repeat(961 * KIBIBYTE) }),
      413,
      'too-large',
    ],
    ['nested 200 deep', nested(200), 413, 'too-deep'],
    ['nested 65 deep', nested(65), 413, 'too-deep'],
    ['nested 200,000 deep', '['.repeat(200_000), 413, 'too-deep'],
    ['with a key twice', '{"max":1,"max":2}', 400, 'duplicate-key'],
    ['with a key twice, once escaped', '{"max":1,"m\\u0061x":2}', 400, 'duplicate-key'],
    ['with __proto__', '{"__proto__":{"max":1}}', 400, 'forbidden-key'],
    ['with __proto__ further down', '{"a":[{"__proto__":1}]}', 400, 'forbidden-key'],
    ['with an unknown directive', '{"a":{"$pawl":"destroy"}}', 400, 'unknown-directive'],
    ['with a directive that is no text', '{"a":{"$pawl":1}}', 400, 'unknown-directive'],
    ['with the reserved secret', '{"a":{"$pawl":"secret","ref":"x"}}', 400, 'unknown-directive'],
    ['with 2^53 + 1', '{"n":9007199254740993}', 400, 'number-not-representable'],
    [
      'with an integer of 30 digits',
      '{"n":123456789012345678901234567890}',
      400,
      'number-not-representable',
    ],
    ['with 1e400', '{"n":1e400}', 400, 'number-not-representable'],
    ['with a lone surrogate', '{"a":"\\ud800"}', 400, 'lone-surrogate'],
    ['with a lone surrogate as a key', '{"\\udc00":1}', 400, 'lone-surrogate'],
    ['against the schema above', '{"max":"many"}', 422, 'schema-violation'],
  ];
  it.each(bodies)('%s', async (_what, body, status, code) => {
    await expectRefused(put(body), status, code);
  });

  it('says where: address and JSON Pointer', async () => {
    const answer = await expectRefused(put('{"max":"many"}'), 422, 'schema-violation');
    expect(answer.problem().errors).toMatchObject([
      { address: ADDRESS, pointer: '/max', keyword: 'type' },
    ]);
  });

  it.each([
    ['text/plain', 'text/plain'],
    ['a form', 'application/x-www-form-urlencoded'],
    ['a merge patch', 'application/merge-patch+json'],
    ['JSON in Latin-1', 'application/json; charset=iso-8859-1'],
  ])('sent as %s', async (_what, type) => {
    await expectRefused(put('{"max":2}', { 'content-type': type }), 415, 'wrong-content-type');
  });

  it('sent without a content type', async () => {
    const { headers, ...request } = put(Buffer.from('{"max":2}'));
    const answer = await stack.sendRaw({ ...request, headers: { ...headers, 'content-type': '' } });
    expectProblem(answer, 415, 'wrong-content-type');
    expect(await stack.truth()).toBe(truth);
  });

  it('is not what it is refused for elsewhere: ordinary keys stay ordinary', async () => {
    const odd = '{"constructor":{"prototype":1},"":0,"toString":"x","hasOwnProperty":null}';
    const answer = await stack.send({ method: 'PUT', path: '/v1/config/odd', body: odd });
    expect(answer.status).toBe(201);
    expect(await stack.admin().getConfig('odd')).toMatchObject({
      document: JSON.parse(odd) as object,
    });
  });
});

describe('an address that is refused', () => {
  const addresses = [
    'acme/../acme/app',
    '..',
    './acme',
    'acme//app',
    '/acme',
    'acme/',
    '',
    'Acme/app',
    'acme/App',
    'a/b/c/d/e/f/g/h/i',
    'acme:a:b',
    'acme:a/b',
    'acme:',
    'acme:Limits',
    '-acme',
    'acme/a.b',
    'acme/a*',
    'acme/%61pp',
    'acme%2Fapp',
    'acme/app%00',
    'acme/app%',
    'acme/%zz',
    `acme/${'a'.repeat(64)}`,
    `acme/${'a'.repeat(3_000)}`,
  ];
  it.each(addresses)('%s', async (address) => {
    for (const method of ['PUT', 'GET']) {
      const answer = await stack.sendRaw({
        method,
        path: `/v1/config/${address}`,
        ...(method === 'PUT' ? { body: '{"max":3}' } : {}),
      });
      expectProblem(answer, 400, 'malformed-address');
    }
    const release = await stack.sendRaw({
      method: 'POST',
      path: `/v1/release/${address}`,
      body: '{"action":"promote"}',
    });
    expectProblem(release, 400, 'malformed-address');
    expect(await stack.truth()).toBe(truth);
  });

  it('is told from the longest that is not', async () => {
    const longest = ['longest', ...Array.from({ length: 7 }, () => 'a'.repeat(63))].join('/');
    const answer = await stack.sendRaw({
      method: 'PUT',
      path: `/v1/config/${longest}:${'d'.repeat(63)}`,
      body: '{}',
    });
    expect(answer.status).toBe(201);
  });
});

describe('a schema that is refused', () => {
  const schema = (body: string): HttpRequest => ({
    method: 'PUT',
    path: `/v1/schema/${ADDRESS}`,
    headers: AT_ONE,
    body,
  });
  it.each<[string, string, number, ProblemCode]>([
    ['malformed', '{', 400, 'malformed-json'],
    ['of the wrong type', '{"type":7}', 422, 'schema-invalid'],
    ['a text', '"object"', 422, 'schema-invalid'],
    ['of draft-04', '{"$schema":"http://json-schema.org/draft-04/schema#"}', 422, 'schema-draft'],
    ['that refers outside', '{"$ref":"http://127.0.0.1:1/schema.json"}', 422, 'schema-reference'],
    ['that the document at hand breaks', '{"required":["owner"]}', 422, 'schema-violation'],
    ['of 2 MiB', JSON.stringify({ description: 'x'.repeat(2_000_000) }), 413, 'too-large'],
  ])('%s', async (_what, body, status, code) => {
    await expectRefused(schema(body), status, code);
  });

  it('by its patterns: they cannot stall the process', async () => {
    const evil = { properties: { name: { type: 'string', pattern: '^(?=(a+)+$)(a+)+$' } } };
    await stack.admin().putSchema('evil', { json: evil });
    const slow = stack.send({
      method: 'PUT',
      path: '/v1/config/evil',
      headers: AT_ONE,
      body: JSON.stringify({ name: `${'a'.repeat(60)}!` }),
    });
    for (let n = 0; n < 20; n += 1) {
      const health = await stack.send({ path: '/healthz' });
      expect(health.status).toBe(200);
    }
    expectProblem(await slow, 422, 'validation-timeout');
    expect((await stack.admin().getConfig('evil')).version).toBe(1);
  });
});

describe('a request that is refused', () => {
  const release = (body: unknown): HttpRequest => ({
    method: 'POST',
    path: `/v1/release/${ADDRESS}`,
    body: JSON.stringify(body),
  });

  it.each<[unknown, number, ProblemCode]>([
    [{ action: 'explode' }, 400, 'unknown-action'],
    [{ action: '__proto__' }, 400, 'unknown-action'],
    [{}, 400, 'malformed-request'],
    [{ action: 'promote', typo: 1 }, 400, 'malformed-request'],
    [{ action: 'promote', strategy: 'unheard-of' }, 400, 'unknown-strategy'],
    [{ action: 'promote', targetVersion: 99 }, 404, 'version-unknown'],
    [{ action: 'block' }, 400, 'malformed-request'],
    [{ action: 'rollback' }, 409, 'invalid-transition'],
    [{ action: 'rollback', targetVersion: 99 }, 404, 'version-unknown'],
    [{ action: 'resume' }, 409, 'invalid-transition'],
    [{ action: 'promote', expectedReleaseVersion: 0 }, 412, 'version-mismatch'],
  ])('by its action: %j', async (body, status, code) => {
    await expectRefused(release(body), status, code);
  });

  it('on what is not there', async () => {
    await expectRefused({ path: '/v1/config/nobody' }, 404, 'not-found');
    const nobody = { method: 'POST', path: '/v1/release/nobody', body: '{"action":"promote"}' };
    await expectRefused(nobody, 404, 'not-found');
    const patch = {
      method: 'PATCH',
      path: '/v1/config/nobody',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: '{}',
    };
    await expectRefused(patch, 404, 'not-found');
    await expectRefused({ path: `${CONFIG}?version=2` }, 404, 'version-unknown');
  });

  it('by a stale version', async () => {
    const answer = await expectRefused(
      put('{"max":2}', { 'if-match': '"7"' }),
      412,
      'version-mismatch',
    );
    expect(answer.problem().currentVersion).toBe(1);
    await expectRefused(put('{"max":2}', { 'if-match': 'W/"1"' }), 412, 'version-mismatch');
    const { 'if-match': _, ...none } = { ...AT_ONE, 'if-none-match': '*' };
    await expectRefused({ ...put('{"max":2}'), headers: none }, 412, 'version-mismatch');
    await expectRefused(put('{"max":2}', { 'if-match': '1' }), 400, 'malformed-precondition');
  });

  it('for want of a precondition, with the header to add', async () => {
    const answer = await expectRefused(
      { ...put('{"max":2}'), headers: {} },
      428,
      'precondition-required',
    );
    expect(answer.problem()).toMatchObject({ currentVersion: 1 });
    expect(answer.problem().detail).toContain('If-Match: "1"');
  });

  it('by what it asks for', async () => {
    await expectRefused({ path: `${CONFIG}?verison=1` }, 400, 'malformed-request');
    await expectRefused({ path: '/v1/scopes?limit=1001' }, 400, 'malformed-request');
    await expectRefused(
      { path: `/v1/history/${ADDRESS}?cursor=nonsense` },
      400,
      'malformed-request',
    );
    await expectRefused(put('{"max":2}', { 'x-pawl-actor': ' ' }), 400, 'malformed-request');
    await expectRefused(
      put('{"max":2}', { 'idempotency-key': 'x'.repeat(129) }),
      400,
      'malformed-request',
    );
  });

  it('because it is no HTTP at all', async () => {
    for (const path of ['/healthz\u0000', '/v1/config/acme/\u00e4', '/v1/config/a b']) {
      expectProblem(await stack.sendRaw({ path }), 400, 'malformed-request');
    }
  });
});

describe('writers', () => {
  it('that race on one version: exactly one wins', async () => {
    await stack.admin().putConfig('race/app', { json: { n: 0 } });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        stack.send({
          method: 'PUT',
          path: '/v1/config/race/app',
          headers: AT_ONE,
          body: JSON.stringify({ n: n + 1 }),
        }),
      ),
    );
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    for (const answer of answers)
      if (answer.status !== 200) expectProblem(answer, 412, 'version-mismatch');
    const newest = await stack.admin().getConfig('race/app');
    expect(newest.version).toBe(2);
    expect(newest.hash).toBe(won[0]?.json<{ hash: string }>().hash);
    const { items } = await stack.admin().history('race/app');
    expect(items).toHaveLength(2);
  });

  it('that race to be the first: exactly one wins', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        stack.send({ method: 'PUT', path: '/v1/config/race/new', body: JSON.stringify({ n }) }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([
      201,
      ...Array<number>(19).fill(428),
    ]);
    expect((await stack.admin().getConfig('race/new')).version).toBe(1);
  });

  it('that race to release: exactly one wins', async () => {
    await stack.admin().putConfig('race/release', { json: { n: 1 } });
    await stack.admin().putConfig('race/release', { json: { n: 2 } }, { expect: 1 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        stack.send({
          method: 'POST',
          path: '/v1/release/race/release',
          body: JSON.stringify({
            action: 'promote',
            targetVersion: 1 + (n % 2),
            expectedReleaseVersion: 0,
          }),
        }),
      ),
    );
    const release = await stack.admin().getRelease('race/release');
    expect(release.releaseVersion).toBe(1);
    for (const answer of answers) {
      if (answer.status === 200) expect(answer.json()).toEqual(release);
      else expectProblem(answer, 412, 'version-mismatch');
    }
    expect(answers.some(({ status }) => status === 200)).toBe(true);
  });
});

describe('an idempotency key', () => {
  const write = (body: string, key = 'key-1'): HttpRequest => ({
    method: 'PUT',
    path: '/v1/config/once/app',
    headers: { 'idempotency-key': key },
    body,
  });

  it('gives the first answer again, and refuses another body', async () => {
    const first = await stack.send(write('{"n":1}'));
    expect(first.status).toBe(201);
    truth = await stack.truth();
    const again = await stack.send(write('{"n":1}'));
    expect(again.status).toBe(201);
    expect(again.text).toBe(first.text);
    await expectRefused(write('{"n":2}'), 422, 'idempotency-key-reused');
    await expectRefused(write('{ "n": 1 }'), 422, 'idempotency-key-reused');
    expect(await stack.truth()).toBe(truth);
  });

  it('of a refused request is free again', async () => {
    await expectRefused(write('{"n":3}', 'key-2'), 428, 'precondition-required');
    const corrected = write('{"n":3}', 'key-2');
    const answer = await stack.send({ ...corrected, headers: { ...corrected.headers, ...AT_ONE } });
    expect(answer.status).toBe(200);
  });

  it('makes one write of twenty retries at once', async () => {
    const retries = await Promise.all(
      Array.from({ length: 20 }, () =>
        stack.send({
          method: 'PUT',
          path: '/v1/config/once/storm',
          headers: { 'idempotency-key': 'storm' },
          body: '{"n":1}',
        }),
      ),
    );
    const written = retries.filter(({ status }) => status === 201);
    expect(new Set(written.map(({ text }) => text)).size).toBe(1);
    for (const answer of retries)
      if (answer.status !== 201) expectProblem(answer, 409, 'still-running');
    expect((await stack.admin().getConfig('once/storm')).version).toBe(1);
  });
});
