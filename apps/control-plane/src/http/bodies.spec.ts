import { LIMITS } from '@pawl/contracts';
import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchange, startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;
let base: string;

beforeAll(async () => {
  test = await startTestApp();
  base = `http://127.0.0.1:${await test.listen()}`;
});
afterAll(() => test.close());

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly type?: string | null;
  readonly body?: string | Buffer;
}

async function send({ method = 'PUT', path = '/v1/config/acme/shop', type, body }: Sent) {
  const before = test.engine.calls.length;
  const answer = await fetch(base + path, {
    method,
    headers: type === null ? {} : { 'content-type': type ?? 'application/json' },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? Buffer.from(body) : body }),
  });
  return {
    status: answer.status,
    contentType: answer.headers.get('content-type'),
    problem: (await answer.json()) as { code: string; errors?: { pointer: string }[] },
    reached: test.engine.calls.slice(before).map(({ name }) => name),
  };
}

const deep = (levels: number): string => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);

describe('a body that is refused', () => {
  it.each([
    ['malformed JSON', '{"a":', 400, 'malformed-json'],
    ['a trailing comma', '{"a":1,}', 400, 'malformed-json'],
    ['a comment', '{"a":1} // x', 400, 'malformed-json'],
    ['nothing', '', 400, 'malformed-json'],
    ['white space', ' \n', 400, 'malformed-json'],
    ['NaN', '{"a":NaN}', 400, 'malformed-json'],
    ['a raw control character', '{"a":"\u0001"}', 400, 'malformed-json'],
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400, 'malformed-json'],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le'), 400, 'malformed-json'],
    ['duplicate keys', '{"a":1,"b":{"c":1,"c":2}}', 400, 'duplicate-key'],
    ['__proto__', '{"a":{"__proto__":{"admin":true}}}', 400, 'forbidden-key'],
    ['__proto__ by escapes', '{"\\u005f_proto__":1}', 400, 'forbidden-key'],
    ['a lone surrogate', '{"a":"\\ud800"}', 400, 'lone-surrogate'],
    ['an integer no double holds', '{"a":9007199254740993}', 400, 'number-not-representable'],
    ['an overflow', '{"a":1e400}', 400, 'number-not-representable'],
    ['200 levels', deep(200), 413, 'too-deep'],
    ['100,000 levels', '['.repeat(100_000), 413, 'too-deep'],
    ['more than 2 MiB', `{"a":"${'x'.repeat(LIMITS.requestBytes)}"}`, 413, 'too-large'],
    ['5 MiB', `{"a":"${'x'.repeat(5 * 1024 * 1024)}"}`, 413, 'too-large'],
  ])('%s', async (_what, body, status, code) => {
    const answer = await send({ body });
    expect(answer).toMatchObject({ status, problem: { code }, reached: [] });
    expect(answer.contentType).toBe('application/problem+json');
  });

  it('names the address and the pointer of what is wrong', async () => {
    const { problem } = await send({ body: '{"a":1,"b":{"c":1,"c":2}}' });
    expect(problem.errors).toMatchObject([{ address: 'acme/shop', pointer: '/b/c' }]);
  });

  it.each([
    ['PUT', '/v1/config/acme', 'text/plain'],
    ['PUT', '/v1/config/acme', 'application/x-www-form-urlencoded'],
    ['PUT', '/v1/config/acme', 'application/merge-patch+json'],
    ['PUT', '/v1/config/acme', 'multipart/form-data; boundary=x'],
    ['PUT', '/v1/config/acme', 'application/json; charset=latin1'],
    ['PUT', '/v1/config/acme', 'application/jsonp'],
    ['PUT', '/v1/config/acme', 'nonsense'],
    ['PUT', '/v1/config/acme', null],
    ['PATCH', '/v1/config/acme', 'application/json'],
    ['PUT', '/v1/schema/acme', 'application/yaml'],
    ['POST', '/v1/release/acme', 'text/plain'],
    ['POST', '/v1/preview/acme', 'application/merge-patch+json'],
  ])('%s %s as %s is 415', async (method, path, type) => {
    expect(await send({ method, path, type, body: '{}' })).toMatchObject({
      status: 415,
      problem: { code: 'wrong-content-type' },
      reached: [],
    });
  });

  it('is 415 rather than read when it is large and of the wrong type', async () => {
    const answer = await send({ type: 'text/plain', body: 'x'.repeat(5 * 1024 * 1024) });
    expect(answer).toMatchObject({ status: 415, reached: [] });
  });
});

describe('a body that is taken', () => {
  it.each([
    ['application/json', '/v1/config/t1'],
    ['application/json; charset=utf-8', '/v1/config/t2'],
    ['APPLICATION/JSON;charset="UTF-8"', '/v1/config/t3'],
  ])('as %s', async (type, path) => {
    expect(await send({ type, path, body: '{"a":1}' })).toMatchObject({ status: 201 });
  });

  it('keeps what is ordinary data, and a byte order mark is no data', async () => {
    const body = '\uFEFF{"constructor":1,"":{"toString":"ä😀"},"n":1e2}';
    expect(await send({ path: '/v1/config/ordinary', body })).toMatchObject({ status: 201 });
    expect(test.engine.calls.at(-1)?.args[1]).toEqual({
      constructor: 1,
      '': { toString: 'ä😀' },
      n: 100,
    });
  });

  it('may be 64 levels deep', async () => {
    expect(await send({ path: '/v1/config/deep', body: deep(64) })).toMatchObject({ status: 201 });
    expect(await send({ path: '/v1/config/deep', body: deep(65) })).toMatchObject({ status: 413 });
  });

  it('may hold exactly 2 MiB', async () => {
    const body = `"${'x'.repeat(LIMITS.requestBytes - 2)}"`;
    expect(await send({ path: '/v1/config/big', body })).toMatchObject({ status: 201 });
  });

  it('takes numbers as doubles in a schema', async () => {
    const body = '{"maximum":9007199254740993}';
    expect(await send({ path: '/v1/schema/acme/s', body })).toMatchObject({ status: 201 });
    expect(
      await send({ method: 'POST', path: '/v1/preview/acme/s', body: `{"schema":${body}}` }),
    ).toMatchObject({ status: 200 });
    expect(
      await send({ method: 'POST', path: '/v1/preview/acme/s', body: `{"document":${body}}` }),
    ).toMatchObject({ status: 200, problem: { valid: false, errors: [{ pointer: '/maximum' }] } });
  });

  it('tells the two kinds of patch apart', async () => {
    await send({ path: '/v1/config/patched', body: '{}' });
    for (const [type, kind] of [
      ['application/merge-patch+json', 'merge-patch'],
      ['application/json-patch+json', 'json-patch'],
    ]) {
      const path = '/v1/config/patched';
      await send({ method: 'PATCH', path, type: type as string, body: '[]' });
      expect(test.engine.calls.at(-1)).toMatchObject({ name: 'patchConfig', args: [{}, kind, []] });
    }
  });
});

describe('the connection', () => {
  it('is used again after a body that was too large', async () => {
    const agent = new Agent({ maxSockets: 1, keepAlive: true });
    const once = (body: Buffer): Promise<{ status: number; reused: boolean }> =>
      new Promise((resolve, reject) => {
        const request = httpRequest(`${base}/v1/config/again`, {
          method: 'PUT',
          agent,
          headers: { 'content-type': 'application/json', 'if-match': '*' },
        });
        request.on('error', reject);
        request.on('response', (response) => {
          response.resume();
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, reused: request.reusedSocket }),
          );
        });
        request.end(body);
      });
    expect(await once(Buffer.alloc(5 * 1024 * 1024, 32))).toMatchObject({ status: 413 });
    expect(await once(Buffer.from('{}'))).toEqual({ status: 412, reused: true });
    agent.destroy();
  });

  it('is closed, after the answer, when far too much is announced', async () => {
    const port = Number(new URL(base).port);
    const answer = await exchange(
      port,
      'PUT /v1/config/acme HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
        'Content-Length: 99999999999\r\n\r\n{',
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toMatch(/connection: close/i);
    expect(answer).toContain('urn:pawl:problem:too-large');
  });

  it('that breaks in the middle of a body leaves the server alive', async () => {
    const before = test.engine.calls.length;
    await new Promise<void>((resolve) => {
      const socket = connect(Number(new URL(base).port), '127.0.0.1', () => {
        socket.write(
          'PUT /v1/config/acme HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n' +
            'Content-Length: 100\r\n\r\n{"a":',
          () => socket.destroy(),
        );
      });
      socket.on('close', () => resolve());
    });
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
    expect(test.engine.calls.length).toBe(before);
    expect(test.logged).toEqual([]);
  });
});
