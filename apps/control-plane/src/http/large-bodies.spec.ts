import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exchange, startTestApp, type TestApp } from '../testing/test-app.js';

const LARGE = 100_000;
const BODIES = { smallBytes: 70_000, largeBytes: 250_000, waiting: 4, waitMs: 60_000 };

let test: TestApp;
let port: number;
let sockets: Socket[];

beforeEach(async () => {
  sockets = [];
  test = await startTestApp([], { bodies: BODIES });
  port = await test.listen();
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await test.close();
});

const document = (bytes: number): string => `{"a":"${'x'.repeat(bytes - 8)}"}`;

function put(body: string | ReadableStream, path = '/v1/config/acme'): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', 'if-match': '*' },
    body,
    ...(typeof body === 'string' ? {} : { duplex: 'half' }),
  });
}

/** Sent in chunks, so that nobody knows beforehand how much it will be. */
function chunked(body: string): ReadableStream {
  return new Blob([body]).stream();
}

/** Sends a head and the beginning of a body, and waits until the server has begun to read it. */
async function begin(headers: string, bodyStart: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.write(
    `PUT /v1/config/slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n` +
      `Expect: 100-continue\r\n${headers}\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once('data', resolve));
  socket.write(bodyStart);
  return socket;
}

async function refused(answer: Response): Promise<void> {
  expect(answer.status).toBe(429);
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(await answer.json()).toMatchObject({ code: 'too-many-requests' });
}

async function eventually(settled: () => Promise<boolean>): Promise<void> {
  while (!(await settled())) await new Promise((resolve) => setImmediate(resolve));
}

describe('bodies for which there is no room', () => {
  it('are refused by what they announce, and taken again once others have gone', async () => {
    const first = await begin(`Content-Length: ${LARGE}`, '{');
    const second = await begin(`Content-Length: ${LARGE}`, '{');
    await refused(await put(document(LARGE)));
    await refused(await put(chunked(document(LARGE))));
    expect((await put('{}')).status).toBe(412);
    first.destroy();
    await eventually(async () => (await put(document(LARGE))).status === 412);
    second.destroy();
    expect(test.engine.calls.every(({ name }) => name === 'putConfig')).toBe(true);
  });

  it('are refused in the middle when they did not announce what they are', async () => {
    await refused(await put(chunked(document(3 * LARGE))));
    expect((await put(chunked(document(2 * LARGE)))).status).toBe(412);
  });

  it('are refused when small, too', async () => {
    await begin('Content-Length: 60000', '{');
    await refused(await put(document(20_000)));
    expect((await put(document(50))).status).toBe(412);
    expect((await put(document(LARGE))).status).toBe(412);
  });

  it('leave nothing behind, however they end', async () => {
    const rounds = 6;
    for (let round = 0; round < rounds; round += 1) {
      expect((await put(document(2 * LARGE))).status).toBe(412);
      expect((await put(document(2 * LARGE), '/nowhere')).status).toBe(404);
      expect((await put(document(2 * LARGE), '/v1/config/A')).status).toBe(400);
      expect((await put('['.repeat(2 * LARGE))).status).toBe(413);
      const broken = await begin('Transfer-Encoding: chunked', `186A0\r\n${'x'.repeat(LARGE)}\r\n`);
      broken.destroy();
      test.engine.fail = new Error('broken');
      await eventually(async () => (await put(document(2 * LARGE))).status === 500);
      test.engine.fail = undefined;
    }
  });
});

describe('large bodies', () => {
  /** How many calls of the engine were under way at once at most. */
  async function most(send: (n: number) => Promise<Response>): Promise<number> {
    let running = 0;
    let highest = 0;
    const { engine } = test;
    for (const name of ['putConfig', 'patchConfig'] as const) {
      const original = engine[name].bind(engine) as (...args: unknown[]) => Promise<never>;
      engine[name] = async (...args: unknown[]) => {
        highest = Math.max(highest, (running += 1));
        await exchange(port, 'GET /healthz HTTP/1.0\r\n\r\n');
        running -= 1;
        return original(...args);
      };
    }
    const answers = await Promise.all([send(0), send(1), send(2)]);
    expect(answers.map(({ status }) => status)).not.toContain(429);
    return highest;
  }

  it('are worked on one at a time', async () => {
    expect(await most((n) => put(document(70_000), `/v1/config/large/n${n}`))).toBe(1);
  });

  it('leave small ones alone', async () => {
    expect(await most((n) => put('{}', `/v1/config/small/n${n}`))).toBe(3);
  });

  it.each([
    ['large', 70_000, 1],
    ['small', 60, 3],
  ])('include small patches of a %s document', async (_what, bytes, together) => {
    await fetch(`http://127.0.0.1:${port}/v1/config/acme`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: document(bytes),
    });
    const patch = () =>
      fetch(`http://127.0.0.1:${port}/v1/config/acme`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/merge-patch+json', 'if-match': '*' },
        body: '{}',
      });
    expect(await most(patch)).toBe(together);
  });
});

describe('large bodies for another node', () => {
  /** Requests whose owner does not answer, until it is told to. */
  function away(): { readonly waiting: string[]; readonly answer: () => void } {
    const waiting: string[] = [];
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const { engine } = test;
    engine.servesAll = false;
    for (const name of ['putConfig', 'patchConfig', 'putSchema', 'release', 'preview'] as const) {
      const original = engine[name].bind(engine) as (...args: unknown[]) => Promise<never>;
      engine[name] = async (...args: unknown[]) => {
        waiting.push(name);
        tellAway(args);
        if (waiting.length <= 5) await answered;
        return original(...args);
      };
    }
    return { waiting, answer };
  }

  /** What a request tells when it goes to another node: an argument of its own, or one of its options. */
  function tellAway(args: readonly unknown[]): void {
    for (const argument of args) {
      if (typeof argument === 'function') (argument as () => void)();
      else (argument as { readonly away?: () => void }).away?.();
    }
  }

  it('leave their turn when their shard goes to another while they are worked on', async () => {
    const { engine } = test;
    const original = engine.putConfig.bind(engine);
    const calls: (() => void)[] = [];
    engine.putConfig = async (options, document) => {
      if (calls.length === 0) {
        await new Promise<void>((resolve) => calls.push(resolve));
        options.away?.();
        await new Promise<void>((resolve) => calls.push(resolve));
      }
      return original(options, document);
    };
    const first = put(document(LARGE));
    await eventually(async () => calls.length === 1);
    const second = put(document(LARGE), '/v1/config/other');
    calls[0]?.();
    expect((await second).status).toBe(412);
    calls[1]?.();
    expect((await first).status).toBe(412);
  });

  it('keep nobody from his turn while they wait for its answer', async () => {
    await test.close();
    test = await startTestApp([], { bodies: { ...BODIES, largeBytes: 1_000_000 } });
    port = await test.listen();
    const { waiting, answer } = away();
    const send = (method: string, path: string, type = 'application/json') =>
      fetch(`http://127.0.0.1:${port}/v1/${path}/acme`, {
        method,
        headers: { 'content-type': type, ...(method === 'POST' ? {} : { 'if-match': '*' }) },
        body: path === 'release' ? `{"action":"promote"${' '.repeat(LARGE)}}` : document(LARGE),
      });
    const first = [
      put(document(LARGE)),
      send('PATCH', 'config', 'application/merge-patch+json'),
      send('PUT', 'schema'),
      send('POST', 'release'),
      fetch(`http://127.0.0.1:${port}/v1/preview/acme`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: `{"document":${document(LARGE)}}`,
      }),
    ];
    await eventually(async () => waiting.length === 5);
    expect((await put(document(LARGE))).status).toBe(412);
    answer();
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([
      412, 404, 412, 200, 200,
    ]);
  });

  it('are held to the same room in all while they wait', async () => {
    const { waiting, answer } = away();
    const first = [put(document(LARGE)), put(document(LARGE))];
    await eventually(async () => waiting.length === 2);
    await refused(await put(document(LARGE)));
    answer();
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([412, 412]);
    expect((await put(document(LARGE))).status).toBe(412);
  });

  it('are not looked at before a patch, which costs one question to the owner', async () => {
    test.engine.servesAll = false;
    await fetch(`http://127.0.0.1:${port}/v1/config/acme`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json', 'if-match': '*' },
      body: '{}',
    });
    expect(test.engine.calls.map(({ name }) => name)).toEqual(['patchConfig']);
  });
});
