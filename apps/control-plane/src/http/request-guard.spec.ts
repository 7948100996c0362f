import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../testing/test-app.js';
import { createRequestGuard } from './request-guard.js';
import type { FastifyRequest } from 'fastify';

let test: TestApp;

beforeAll(async () => {
  test = await startTestApp();
});
afterAll(() => test.close());

async function ask(method: 'GET' | 'PUT', headers: Record<string, string>) {
  const answer = await test.app.inject({
    method,
    url: '/v1/config/guarded',
    headers: { 'content-type': 'application/json', ...headers },
    ...(method === 'PUT' ? { payload: '{}' } : {}),
  });
  return { status: answer.statusCode, ...answer.json<{ code?: string }>() };
}

describe('the Host header', () => {
  it.each([
    'localhost',
    'localhost:7400',
    'LocalHost:7400',
    'console.localhost',
    '127.0.0.1:7400',
    '127.1.2.3',
    '[::1]:7400',
    '10.1.2.3:7400',
    '[fd00::1]',
    'pawl.internal:7400',
    'PAWL.internal',
  ])('%s is answered', async (host) => {
    expect(await ask('GET', { host })).toMatchObject({ status: 404, code: 'not-found' });
  });

  it.each([
    'evil.example',
    'evil.example:7400',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'pawl.internal.evil.example',
    'user@localhost',
    '[evil.example]',
    'a b',
    '1.2.3.4.5',
  ])('%s is refused, whatever is asked', async (host) => {
    const refusal = { status: 421, code: 'misdirected-request' };
    expect(await ask('GET', { host })).toMatchObject(refusal);
    expect(await ask('PUT', { host })).toMatchObject(refusal);
    const unknown = await test.app.inject({ method: 'GET', url: '/nothing', headers: { host } });
    expect(unknown.json()).toMatchObject(refusal);
  });

  it('may be anything when * is allowed, or the name listened on', () => {
    const request = (host: string) => ({ method: 'GET', headers: { host } }) as FastifyRequest;
    const any = createRequestGuard({ host: '0.0.0.0', allowedHosts: ['*'] });
    const own = createRequestGuard({ host: 'Pawl.example', allowedHosts: [] });
    expect(() => any(request('evil.example'))).not.toThrow();
    expect(() => own(request('pawl.example:7400'))).not.toThrow();
    expect(() => own(request('evil.example'))).toThrow();
  });
});

describe('a web page', () => {
  const host = 'localhost:7400';

  it('of the same origin may write', async () => {
    const headers = { host, origin: 'http://localhost:7400', 'sec-fetch-site': 'same-origin' };
    expect(await ask('PUT', headers)).toMatchObject({ status: 201 });
  });

  it.each([
    [{ host, origin: 'http://evil.example' }],
    [{ host, origin: 'http://localhost:3000' }],
    [{ host, origin: 'null' }],
    [{ host, 'sec-fetch-site': 'cross-site' }],
  ])('%j may not write', async (headers) => {
    expect(await ask('PUT', headers as Record<string, string>)).toMatchObject({
      status: 403,
      code: 'forbidden-origin',
    });
  });

  it('of another origin gets nothing that lets it read', async () => {
    const answer = await test.app.inject({
      method: 'GET',
      url: '/v1/cluster',
      headers: { host, origin: 'http://evil.example' },
    });
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual(
      [],
    );
    expect(answer.headers['x-powered-by']).toBeUndefined();
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });
});
