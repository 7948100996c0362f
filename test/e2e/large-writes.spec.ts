import { request as httpRequest } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpAnswer } from '../support/stack-http.js';
import { startStack, type TestStack } from '../support/stack.js';

const KEYS = 30_000;
const WRITERS = 64;
/** More than could be parsed at once. */
const CROWD = 120;
const ANSWER_DEADLINE_MS = 150_000;
const DEADLINE_MS = 180_000;

let stack: TestStack;
let pid: number;
beforeAll(async () => {
  stack = await startStack();
  pid = stack.controlPlane.pid;
});
afterAll(() => stack?.stop());

/** About 829 KB with 30,000 keys: near the largest document there may be, and much to compute. */
function document(writer: number): string {
  const entries = Array.from({ length: KEYS }, (_, n): [string, number] => [
    `setting-${String(n).padStart(10, '0')}`,
    writer * KEYS + n,
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

function put(path: string, body: string): Promise<HttpAnswer> {
  return stack.send({ method: 'PUT', path, body, deadlineMs: ANSWER_DEADLINE_MS });
}

/**
 * Sends all bodies but for their last bytes, then those at once: the server gets all of them to work
 * on in one turn of its loop.
 */
async function putAtOnce(bodies: ReadonlyMap<string, string>): Promise<Promise<HttpAnswer>[]> {
  const begun = [...bodies].map(([path, body]) => beginPut(path, body));
  await Promise.all(begun.map(({ sent }) => sent));
  expect((await stack.send({ path: '/healthz' })).status).toBe(200);
  return begun.map(({ finish }) => finish());
}

function beginPut(path: string, body: string) {
  const request = httpRequest(stack.controlPlane.url + path, {
    method: 'PUT',
    agent: false,
    headers: { 'content-type': 'application/json', 'content-length': body.length },
    signal: AbortSignal.timeout(ANSWER_DEADLINE_MS),
  });
  const answer = new Promise<HttpAnswer>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const headers = new Headers({ 'retry-after': response.headers['retry-after'] ?? '' });
      readText(response).then(
        (text) => resolve(new HttpAnswer(response.statusCode ?? 0, headers, text)),
        reject,
      );
    });
  });
  const sent = new Promise<void>((resolve) => {
    request.write(body.slice(0, -1), () => resolve());
  });
  const finish = (): Promise<HttpAnswer> => {
    request.end(body.slice(-1));
    return answer;
  };
  return { sent: Promise.race([sent, answer]), finish };
}

/**
 * The answers to requests that are sent side by side. Asks for `/healthz` until the last has come: the
 * process must answer, and be the same at the end.
 */
async function sideBySide(requests: readonly Promise<HttpAnswer>[]): Promise<HttpAnswer[]> {
  let open = true;
  const settled = Promise.allSettled(requests).finally(() => (open = false));
  do {
    expect((await stack.send({ path: '/healthz' })).status).toBe(200);
  } while (open);
  await settled;
  expect(stack.controlPlane.pid).toBe(pid);
  expect(() => process.kill(pid, 0)).not.toThrow();
  return Promise.all(requests);
}

function expectOrderly(answers: readonly HttpAnswer[]): void {
  for (const { status, text, headers } of answers) {
    expect([200, 201, 412, 429], text).toContain(status);
    if (status === 429) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
}

describe('large documents written side by side', () => {
  it(
    'are written or refused in order, and the process answers meanwhile',
    async () => {
      const bodies = new Map(
        Array.from({ length: WRITERS }, (_, writer) => [
          `/v1/config/large/n${writer}`,
          document(writer),
        ]),
      );
      const answers = await sideBySide(await putAtOnce(bodies));
      expectOrderly(answers);
      const written = answers.filter(({ status }) => status === 201);
      expect(written.length).toBeGreaterThan(0);
      for (const answer of written) {
        const { address, hash } = answer.json<{ address: string; hash: string }>();
        expect(await stack.admin().getConfig(address)).toMatchObject({ version: 1, hash });
      }
    },
    DEADLINE_MS,
  );

  it(
    'by a crowd do not use up the memory',
    async () => {
      const many = `{"a":[${Array(300_000).fill('{}').join(',')}]}`;
      const answers = await sideBySide(
        Array.from({ length: CROWD }, () => put('/v1/config/large/crowd', many)),
      );
      // All but the first to be written lack a precondition.
      expectOrderly(answers.filter(({ status }) => status !== 428));
      expect((await stack.send({ path: '/readyz' })).status).toBe(200);
    },
    DEADLINE_MS,
  );
});
