import type { Server } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchange, startTestApp, type TestApp } from '../testing/test-app.js';

let test: TestApp;
let port: number;

beforeAll(async () => {
  test = await startTestApp();
  port = await test.listen();
});
afterAll(() => test.close());

/** Status, code and headers of the problem that comes back for raw bytes. */
async function refusal(request: string, to = port) {
  const answer = await exchange(to, request);
  const end = answer.indexOf('\r\n\r\n');
  const head = answer.slice(0, end);
  expect(head).toMatch(/content-type: application\/problem\+json/i);
  const problem = JSON.parse(answer.slice(end + 4)) as { code: string; detail: string };
  return { status: Number(head.split(' ')[1]), code: problem.code, detail: problem.detail };
}

const CLOSE = 'Connection: close\r\n';
const HEAD = `PUT /v1/config/acme HTTP/1.1\r\nHost: localhost\r\n${CLOSE}Content-Type: application/json\r\n`;

describe('what is refused before anything is made of it', () => {
  it('a packed body', async () => {
    const before = test.engine.calls.length;
    const answer = await fetch(`http://127.0.0.1:${port}/v1/config/acme`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: gzipSync('{}'),
    });
    expect(answer.status).toBe(415);
    expect(await answer.json()).toMatchObject({ code: 'wrong-content-encoding' });
    expect(test.engine.calls.length).toBe(before);
    const plain = `${HEAD}Content-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}`;
    expect(await exchange(port, plain)).toMatch(/^HTTP\/1.1 201 /);
  });

  it('an expectation that is not known', async () => {
    expect(await refusal(`${HEAD}Expect: foo\r\nContent-Length: 2\r\n\r\n{}`)).toMatchObject({
      status: 417,
      code: 'expectation-failed',
    });
    const usual = `${HEAD}Expect: 100-continue\r\nIf-Match: *\r\nContent-Length: 2\r\n\r\n{}`;
    expect(await exchange(port, usual)).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
  });

  it('HTTP/1.1 without Host', async () => {
    expect(await refusal(`GET /healthz HTTP/1.1\r\n${CLOSE}\r\n`)).toMatchObject({
      status: 400,
      code: 'malformed-request',
      detail: expect.stringContaining('Host') as string,
    });
    expect(await exchange(port, 'GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /);
  });

  it.each([
    ['DELETE', '/v1/config/acme', 'GET, HEAD, PATCH, PUT'],
    ['POST', '/v1/config/acme/shop', 'GET, HEAD, PATCH, PUT'],
    ['OPTIONS', '/v1/schema/acme', 'DELETE, GET, HEAD, PUT'],
    ['PUT', '/v1/release/acme', 'GET, HEAD, POST'],
    ['GET', '/v1/preview/acme', 'POST'],
    ['GET', '/v1/preflight/acme', 'POST'],
    ['DELETE', '/v1/scopes?limit=1', 'GET, HEAD'],
    ['POST', '/healthz', 'GET, HEAD'],
  ])('%s %s, and says what the path takes', async (method, url, allow) => {
    const answer = await test.app.inject({ method: method as 'GET', url });
    expect(answer.statusCode).toBe(405);
    expect(answer.headers['allow']).toBe(allow);
    expect(answer.json()).toMatchObject({ code: 'method-not-allowed', status: 405 });
  });
});

describe('a request that does not arrive', () => {
  it('is cut off with an answer', async () => {
    const arrival = { requestMs: 60, headMs: 30, checkMs: 10 };
    const hasty = await startTestApp([], { arrival });
    const at = await hasty.listen();
    const late = { status: 408, code: 'request-timeout' };
    expect(await refusal('GET /healthz HTTP/1.1\r\nHost: loc', at)).toMatchObject(late);
    expect(await refusal(`${HEAD}Content-Length: 100\r\n\r\n{`, at)).toMatchObject(late);
    await hasty.close();
  });

  it('is given 10 s for its head and 30 s in all, looked at every second', () => {
    const server = test.app.getHttpServer() as Server & { connectionsCheckingInterval: number };
    const { headersTimeout, requestTimeout, connectionsCheckingInterval } = server;
    expect({ headersTimeout, requestTimeout, connectionsCheckingInterval }).toEqual({
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 1_000,
    });
  });
});
