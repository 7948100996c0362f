import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { idleRollout } from '../testing/fake-config-engine.js';
import { startTestApp, type TestApp } from '../testing/test-app.js';
import { MAX_STREAMS, RolloutStreams } from './rollout-streams.js';
import { address } from '@pawl/contracts';

let test: TestApp;
let port: number;
const requests: ClientRequest[] = [];

beforeEach(async () => {
  test = await startTestApp();
  port = await test.listen();
});
afterEach(async () => {
  for (const request of requests.splice(0)) request.destroy();
  await test.close();
});

interface Stream {
  readonly response: IncomingMessage;
  /** Resolves with what has come so far once `part` is in it. */
  until(part: string): Promise<string>;
  readonly ended: Promise<string>;
  leave(): void;
}

function open(path: string, method = 'GET', lastId?: string): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      port,
      path,
      method,
      headers: {
        accept: 'text/event-stream',
        host: 'localhost',
        ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
      },
    });
    requests.push(request);
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      const ended = new Promise<string>((done) => response.on('close', () => done(text)));
      const until = (part: string): Promise<string> =>
        new Promise((done) => {
          const look = (): void => {
            if (!text.includes(part)) return;
            response.off('data', look);
            done(text);
          };
          response.on('data', look);
          look();
        });
      resolve({ response, until, ended, leave: () => request.destroy() });
    });
    request.end();
  });
}

const streams = (): RolloutStreams => test.app.get(RolloutStreams);
async function untilOpen(count: number): Promise<void> {
  while (streams().open !== count) await new Promise((resolve) => setImmediate(resolve));
}

describe('GET /v1/rollout as JSON', () => {
  it('answers once', async () => {
    const answer = await test.app.inject('/v1/rollout/acme/shop');
    expect(answer.json()).toEqual(idleRollout('acme/shop'));
    expect(answer.headers).toMatchObject({ vary: 'Accept' });
  });
});

describe('GET /v1/rollout as an event stream', () => {
  it('sends the state at once and each later one, in order', async () => {
    const stream = await open('/v1/rollout/acme/shop');
    expect(stream.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    await stream.until('"version":1');
    test.engine.changeRollout(idleRollout('acme/shop', 2));
    await stream.until('"version":2');
    test.engine.changeRollout(idleRollout('acme/shop', 3));
    const text = await stream.until('"version":3');
    const events = [...text.matchAll(/^id: (\d+)\nevent: rollout\ndata: (.+)\n\n/gm)];
    expect(events.map(([, , data]) => JSON.parse(data ?? '') as unknown)).toEqual([
      idleRollout('acme/shop', 1),
      idleRollout('acme/shop', 2),
      idleRollout('acme/shop', 3),
    ]);
    const ids = events.map(([, id]) => Number(id));
    expect(ids).toEqual([...new Set(ids)].sort((left, right) => left - right));
  });

  it('numbers events above the last one of a reader who comes from another node', async () => {
    const ahead = Date.now() * 10;
    const stream = await open('/v1/rollout/acme/shop', 'GET', String(ahead));
    expect(await stream.until('"version":1')).toContain(`id: ${ahead + 1}\n`);
    const odd = await open('/v1/rollout/acme/shop', 'GET', '9'.repeat(400));
    const [, id] = /id: (\d+)/.exec(await odd.until('"version":1')) ?? [];
    expect(Number(id)).toBeLessThan(ahead);
  });

  it('gives a later reader the newest state at once, over the same watch', async () => {
    await open('/v1/rollout/acme/shop').then((stream) => stream.until('"version":1'));
    const second = await open('/v1/rollout/acme/shop');
    await second.until('"version":1');
    expect(test.engine.watchersOf('acme/shop')).toBe(1);
    expect(streams().open).toBe(2);
  });

  it('stops watching when the last reader is gone', async () => {
    const [first, second] = [
      await open('/v1/rollout/acme/shop'),
      await open('/v1/rollout/acme/shop'),
    ];
    await second.until('"version":1');
    first.leave();
    await untilOpen(1);
    expect(test.engine.watchersOf('acme/shop')).toBe(1);
    second.leave();
    await untilOpen(0);
    expect(test.engine.watchersOf('acme/shop')).toBe(0);
  });

  it('is a problem, not a stream, when there is nothing to follow', async () => {
    const stream = await open('/v1/rollout/acme/other');
    expect(stream.response.statusCode).toBe(404);
    expect(stream.response.headers['content-type']).toBe('application/problem+json');
    expect(streams().open).toBe(0);
  });

  it('is not opened by HEAD', async () => {
    const answer = await open('/v1/rollout/acme/shop', 'HEAD');
    expect(answer.response.headers['content-type']).toContain('application/json');
    expect(streams().open).toBe(0);
  });

  it('ends when the node shuts down', async () => {
    const stream = await open('/v1/rollout/acme/shop');
    await stream.until('"version":1');
    await test.close();
    expect(await stream.ended).toContain('"version":1');
    expect(stream.response.complete).toBe(true);
    const silent = { deliver: () => undefined, idle: () => undefined, end: () => undefined };
    expect(await streams().join(address('acme/shop'), silent)).toMatchObject({ code: 'no-owner' });
  });

  it('is refused with 429 when too many are open', async () => {
    const silent = { deliver: () => undefined, idle: () => undefined, end: () => undefined };
    const joins = Array.from({ length: MAX_STREAMS }, () =>
      streams().join(address('acme/shop'), { ...silent }),
    );
    expect(new Set(await Promise.all(joins))).toEqual(new Set([null]));
    const stream = await open('/v1/rollout/acme/shop');
    expect(stream.response.statusCode).toBe(429);
    expect(stream.response.headers['retry-after']).toBe('1');
  });
});
