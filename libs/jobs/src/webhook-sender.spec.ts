import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ReleaseEvent } from '@pawl/contracts';
import { signWebhook } from '@pawl/contracts/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from './testing/free-port.js';
import { createWebhookSender } from './webhook-sender.js';

const SECRETS = [7, 8].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`);
const EVENT: ReleaseEvent = {
  specversion: '1.0',
  id: 'a'.repeat(32),
  source: 'urn:pawl:main/test',
  type: 'pawl.release.promote',
  subject: 'acme/app',
  time: '2026-01-02T03:04:05.678Z',
  datacontenttype: 'application/json',
  data: {
    address: 'acme/app',
    at: '2026-01-02T03:04:05.678Z',
    author: 'änn',
    kind: 'release',
    action: 'promote',
  },
};

let server: Server;
let port: number;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let got: { readonly headers: IncomingMessage['headers']; readonly url: string; body: string }[];
let stop: AbortController;

beforeEach(async () => {
  got = [];
  stop = new AbortController();
  answer = (_, response) => void response.writeHead(204).end();
  server = createServer((request, response) => {
    const seen = { headers: request.headers, url: request.url ?? '', body: '' };
    got.push(seen);
    request.setEncoding('utf8').on('data', (text: string) => (seen.body += text));
    request.on('end', () => answer(request, response));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function send(url = `http://127.0.0.1:${port}/pawl?a=b`, deadlineMs = 10_000) {
  const endpoints = [{ name: 'hooks-1', url }];
  const options = { endpoints, secrets: SECRETS, stop: stop.signal, deadlineMs };
  return createWebhookSender(options).send('hooks-1', EVENT);
}

describe('a webhook', () => {
  it('is a structured CloudEvent, signed over exactly what is sent', async () => {
    expect(await send()).toEqual({ ok: true });
    const [{ headers, url, body } = { headers: {}, url: '', body: '' }] = got;
    expect(url).toBe('/pawl?a=b');
    expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    expect(JSON.parse(body)).toEqual(EVENT);
    const sentAtMs = Number(headers['webhook-timestamp']) * 1_000;
    expect(headers).toMatchObject(signWebhook({ id: EVENT.id, sentAtMs, body }, SECRETS));
  });

  it('names user and password of its URL in a header', async () => {
    expect(await send(`http://me:p%40ss@127.0.0.1:${port}/`)).toEqual({ ok: true });
    const basic = Buffer.from('me:p@ss').toString('base64');
    expect(got[0]?.headers.authorization).toBe(`Basic ${basic}`);
  });

  it.each([301, 302, 307, 308])('does not follow a redirect (%d)', async (status) => {
    answer = (_, response) => void response.writeHead(status, { location: '/elsewhere' }).end();
    const reason = `it answers ${status}: redirects are not followed`;
    expect(await send()).toEqual({ ok: false, kind: 'refused', reason });
    expect(got).toHaveLength(1);
  });

  it.each([
    ...[400, 401, 403, 404, 405, 413, 422].map((status) => [status, 'refused'] as const),
    ...[408, 425, 429, 500, 501, 502, 503, 504].map((status) => [status, 'later'] as const),
    [410, 'gone'] as const,
  ])('was not taken at %d: %s', async (status, kind) => {
    answer = (_, response) => void response.writeHead(status).end('why');
    expect(await send()).toEqual({ ok: false, kind, reason: `it answers ${status}` });
  });

  it('says for how long the endpoint asks to be left alone, in seconds or as a date', async () => {
    answer = (_, response) => void response.writeHead(429, { 'retry-after': '120' }).end();
    expect(await send()).toMatchObject({ kind: 'later', retryAfterMs: 120_000 });
    const date = 'Fri, 02 Jan 2026 03:04:05 GMT';
    const headers = { date, 'retry-after': 'Fri, 02 Jan 2026 03:05:05 GMT' };
    answer = (_, response) => void response.writeHead(503, headers).end();
    expect(await send()).toMatchObject({ kind: 'later', retryAfterMs: 60_000 });
    answer = (_, response) => void response.writeHead(503, { 'retry-after': 'soon' }).end();
    expect(await send()).not.toHaveProperty('retryAfterMs');
  });

  it('was taken also when the answer never ends, of which no more than a little is read', async () => {
    let written = 0;
    answer = (_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(4_096))) written += 4_096;
      };
      response.on('drain', more);
      more();
    };
    expect(await send()).toEqual({ ok: true });
    expect(written).toBeLessThan(64 * 1_024 * 1_024);
  });

  it('was not taken when nothing is answered in time, nor when the answer stops halfway', async () => {
    const late = { ok: false, kind: 'later', reason: 'it did not answer in time' };
    answer = () => undefined;
    expect(await send(undefined, 50)).toEqual(late);
    answer = (_, response) => void response.writeHead(200).write('so');
    expect(await send(undefined, 200)).toEqual(late);
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '5' }).write('so', () => response.destroy());
    };
    const cut = { ok: false, kind: 'later', reason: 'it does not answer: aborted' };
    expect(await send()).toEqual(cut);
  });

  it('is cut off by a stop', async () => {
    answer = () => stop.abort();
    expect((await send()).ok).toBe(false);
    expect((await send()).ok).toBe(false);
    expect(got).toHaveLength(1);
  });

  it('was not taken when nobody listens or nobody knows the endpoint', async () => {
    const closed = await freePort();
    expect(await send(`http://hunter2@127.0.0.1:${closed}/`)).toEqual({
      ...{ ok: false, kind: 'later' },
      reason: `it does not answer: connect ECONNREFUSED 127.0.0.1:${closed}`,
    });
    const sender = createWebhookSender({ endpoints: [], secrets: SECRETS, stop: stop.signal });
    expect((await sender.send('hooks-1', EVENT)).ok).toBe(false);
  });
});
