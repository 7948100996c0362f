import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchange, startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;
let port: number;

beforeAll(async () => {
  test = await startTestApp();
  port = await test.listen();
});
afterAll(() => test.close());

/** A request whose path reaches the server byte for byte. */
async function get(path: string, method = 'GET'): Promise<{ status: number; body: string }> {
  const answer = await exchange(
    port,
    `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`,
  );
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), body };
}

const LONG = `${'x'.repeat(63)}/`.repeat(7) + 'x'.repeat(63);

describe('an address in the path', () => {
  it.each([
    ['acme', 'acme'],
    ['acme/prod/checkout', 'acme/prod/checkout'],
    ['acme/prod/checkout:limits', 'acme/prod/checkout:limits'],
    ['acme/prod/checkout:config', 'acme/prod/checkout'],
    ['a/b/c/d/e/f/g/h', 'a/b/c/d/e/f/g/h'],
    [`${LONG}:${'y'.repeat(63)}`, `${LONG}:${'y'.repeat(63)}`],
    ['0/a_-/1-2?explain=true', '0/a_-/1-2'],
  ])('%s is %s', async (path, text) => {
    const { status, body } = await get(`/v1/effective/${path}`);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ address: text });
  });

  it.each([
    ['', 'empty'],
    ['/', 'slashes only'],
    ['acme/', 'trailing slash'],
    ['/acme', 'leading slash'],
    ['acme//shop', 'empty segment'],
    ['acme/../shop', 'dots'],
    ['..', 'dots'],
    ['../release/acme', 'dots'],
    ['acme/./shop', 'dot'],
    ['Acme', 'upper case'],
    ['acme/Prod', 'upper case'],
    ['a/b/c/d/e/f/g/h/i', '9 segments'],
    ['acme:a:b', 'two colons'],
    ['acme:', 'empty document'],
    [':limits', 'empty scope'],
    ['acme:a/b', 'slash behind the colon'],
    ['acme/shop%20x', 'escape'],
    ['acme%2Fshop', 'escaped slash'],
    ['acme/%2e%2e/shop', 'escaped dots'],
    ['acme%3Alimits', 'escaped colon'],
    ['acme%', 'half an escape'],
    ['acme%zz', 'no escape'],
    ['acme%ff', 'not UTF-8'],
    ['acme%00', 'NUL'],
    ['acme;x=1', 'semicolon'],
    ['acme#x', 'fragment'],
    ['acme\\shop', 'backslash'],
    ['-acme', 'leading hyphen'],
    ['x'.repeat(64), 'segment too long'],
    ['a'.repeat(1500), 'too long'],
  ])('%j is refused (%s)', async (path) => {
    for (const [method, resource] of [
      ['GET', 'config'],
      ['GET', 'rollout'],
      ['PUT', 'config'],
      ['DELETE', 'schema'],
      ['POST', 'release'],
    ] as const) {
      const { status, body } = await get(`/v1/${resource}/${path}`, method);
      expect({ status, ...(JSON.parse(body) as object) }).toMatchObject({
        status: 400,
        type: 'urn:pawl:problem:malformed-address',
        code: 'malformed-address',
      });
    }
  });

  it('is read from the raw path, also when the escapes are in front of it', async () => {
    const { status, body } = await get('/v1/conf%69g/acme');
    expect(status).toBe(400);
    expect(JSON.parse(body)).toMatchObject({ code: 'malformed-address' });
  });

  it('says what is wrong and how to write it', async () => {
    const { body } = await get('/v1/config/a/b/c/d/e/f/g/h/i');
    expect((JSON.parse(body) as { detail: string }).detail).toMatch(/at most 8.*acme\/prod/);
  });

  it('never reached the engine when it was refused', () => {
    const asked = test.engine.calls.map(({ name }) => name);
    expect(new Set(asked)).toEqual(new Set(['getEffective']));
  });
});

describe('what is not there', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/v1'],
    ['GET', '/v1/config'],
    ['GET', '/v1/nothing/acme'],
    ['GET', '/v2/config/acme'],
    ['GET', '//v1/config/acme'],
    ['GET', '/V1/config/acme'],
    ['DELETE', '/v1/nothing/acme'],
    ['POST', '/'],
    ['OPTIONS', '*'],
    ['GET', '/v1/scopes/'],
    ['GET', '/healthz/'],
  ])('%s %s is 404 and a problem', async (method, path) => {
    const { status, body } = await get(path, method);
    expect(status).toBe(404);
    expect(JSON.parse(body)).toMatchObject({ code: 'not-found', status: 404 });
  });

  it('answers a head that is too long, and what is not HTTP, with a problem', async () => {
    const long = await get(`/v1/config/${'a'.repeat(20_000)}`);
    expect(long.status).toBe(400);
    expect(JSON.parse(long.body)).toMatchObject({ code: 'malformed-request' });
    expect(await exchange(port, 'nonsense\r\n\r\n')).toContain('malformed-request');
  });
});
