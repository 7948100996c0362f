import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { problem, problemDocument } from '@pawl/contracts';
import type { RolloutView } from '@pawl/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from './run-cli.js';

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let server: Server;
let answers: Map<string, Answer>;
let requests: { line: string; headers: IncomingMessage['headers']; body: string }[];
let folder: string;

beforeEach(async () => {
  answers = new Map();
  requests = [];
  folder = await mkdtemp(join(tmpdir(), 'pawl-cli-'));
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const line = `${request.method} ${request.url}`;
      requests.push({ line, headers: request.headers, body });
      const answer = answers.get(line) ?? refuse('not-found', 'nothing there');
      answer(request, response, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

function json(value: unknown): Answer {
  return (_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
  };
}

function refuse(code: Parameters<typeof problem>[0], detail: string, extra = {}): Answer {
  const document = problemDocument(problem(code, detail, extra));
  return (_request, response) => {
    response.writeHead(document.status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify(document));
  };
}

function stream(...views: RolloutView[]): Answer {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const [id, view] of views.entries()) {
      response.write(`: hi\n\nevent: rollout\nid: ${id}\ndata: ${JSON.stringify(view)}\n\n`);
    }
  };
}

function rollout(
  version: number,
  applied: number,
  more: Partial<RolloutView['consumers']> = {},
): RolloutView {
  const consumers = { live: 4, applied, lagging: 4 - applied, rejected: 0, byVersion: {}, ...more };
  return {
    address: 'acme/app',
    published: { version, generation: 1, at: '2026-01-01T00:00:00.000Z', hash: 'a'.repeat(64) },
    consumers,
    rejections: consumers.rejected > 0 ? [{ reason: 'too high', count: consumers.rejected }] : [],
    propagationMs: { p50: null, p95: null, p99: null, max: null },
    converged: applied === consumers.live,
  };
}

async function pawl(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const { port } = server.address() as AddressInfo;
  const code = await runCli({
    args,
    env: { PAWL_URL: `http://127.0.0.1:${port}`, USER: 'ada' },
    terminal: {
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      isTty: false,
      columns: 80,
      color: false,
      readInput: () => Promise.resolve('a: 1\n'),
      now: () => 0,
    },
    signal: new AbortController().signal,
  });
  return { code, out, err };
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

const written = (version: number) =>
  json({ address: 'acme/app', version, hash: '', author: 'ada', createdAt: '', warnings: [] });

describe('pawl', () => {
  it('ends with 2 on bad usage and 0 on help', async () => {
    expect((await pawl('frobnicate')).code).toBe(2);
    expect((await pawl('rollback', 'acme/app')).code).toBe(2);
    expect((await pawl('wait', 'acme/app', '--timeout', 'soon')).code).toBe(2);
    expect(await pawl('--help')).toMatchObject({ code: 0, err: '' });
  });

  it('says what to do when nobody answers', async () => {
    const { code, err } = await pawl('--url', 'http://127.0.0.1:9', 'status', 'acme/app');
    expect(code).toBe(1);
    expect(err).toContain('is the control plane running?');
  });

  it('does not let a URL turn one address into another', async () => {
    const { code, err } = await pawl('config', 'get', 'acme/../other');
    expect(code).toBe(1);
    expect(err).toContain('Not an address');
    expect(requests).toEqual([]);
  });

  it('sends JSON as it stands and YAML as JSON, every digit of it', async () => {
    answers.set('PUT /v1/config/acme/app', written(2));
    const exact = '{ "n": 12345678901234567890 }';
    await pawl('config', 'put', 'acme/app', '-f', await file('a.json', exact), '--expect', '1');
    await pawl(
      'config',
      'put',
      'acme/app',
      '-f',
      await file('b.yaml', 'n: 12345678901234567890\nd: 1.5\n'),
    );
    await pawl('config', 'put', 'acme/app', '-f', '-');
    expect(requests.map(({ body }) => body)).toEqual([
      exact,
      '{"n":12345678901234567890,"d":1.5}',
      '{"a":1}',
    ]);
    expect(requests[0]?.headers).toMatchObject({ 'if-match': '"1"', 'x-pawl-actor': 'ada' });
  });

  it('refuses YAML with duplicate keys or too many aliases before it sends anything', async () => {
    const twice = await pawl(
      'config',
      'put',
      'acme/app',
      '-f',
      await file('a.yaml', 'a: 1\na: 2\n'),
    );
    expect(twice.code).toBe(2);
    const levels = Array.from(
      { length: 12 },
      (_, n) => `l${n + 1}: &l${n + 1} [${`*l${n}, `.repeat(10)}]`,
    );
    const bomb = await file('b.yaml', ['l0: &l0 x', ...levels].join('\n'));
    expect((await pawl('config', 'put', 'acme/app', '-f', bomb)).code).toBe(2);
    expect(requests).toEqual([]);
  });

  it('prints problems with what is wrong where, and its own words for a precondition', async () => {
    const at = { address: 'acme/app', pointer: '/max', message: 'must be integer' };
    answers.set(
      'PUT /v1/config/acme/app',
      refuse('schema-violation', 'it breaks', { errors: [at] }),
    );
    const { code, err } = await pawl('config', 'put', 'acme/app', '-f', '-');
    expect(code).toBe(1);
    expect(err).toContain('acme/app /max: must be integer');
    answers.set(
      'PUT /v1/config/acme/app',
      refuse('precondition-required', '', { currentVersion: 3 }),
    );
    expect((await pawl('config', 'put', 'acme/app', '-f', '-')).err).toContain('--expect 3');
  });

  it('prints JSON for machines wherever -o stands', async () => {
    answers.set('GET /v1/rollout/acme/app', json(rollout(3, 4)));
    for (const args of [
      ['-o', 'json', 'status', 'acme/app'],
      ['status', 'acme/app', '-o', 'json'],
    ]) {
      expect(JSON.parse((await pawl(...args)).out)).toEqual(rollout(3, 4));
    }
    expect((await pawl('status', 'acme/app')).out).toContain('4 live, 4 applied');
  });
});

describe('pawl wait', () => {
  beforeEach(() => {
    answers.set('GET /v1/effective/acme/app', json({ snapshotVersion: 5 }));
  });

  it('waits for the newest snapshot, not the one before', async () => {
    answers.set('GET /v1/rollout/acme/app', stream(rollout(4, 4), rollout(5, 1), rollout(5, 4)));
    const { code, out } = await pawl('wait', 'acme/app', '--applied', '100%', '--timeout', '20s');
    expect({ code, out }).toEqual({ code: 0, out: 'acme/app snapshot 5 applied by 4 of 4\n' });
  });

  it('ends with 4 as soon as the share cannot be reached', async () => {
    answers.set('GET /v1/rollout/acme/app', stream(rollout(5, 2, { rejected: 1, lagging: 1 })));
    const { code, err } = await pawl('wait', 'acme/app', '--timeout', '20s');
    expect(code).toBe(4);
    expect(err).toContain('1 × too high');
    expect((await pawl('wait', 'acme/app', '--applied', '50%', '--timeout', '20s')).code).toBe(0);
  });

  it('ends with 3 when it takes too long, also when nobody is there', async () => {
    answers.set('GET /v1/rollout/acme/app', stream(rollout(5, 1)));
    const late = await pawl('wait', 'acme/app', '--timeout', '150ms');
    expect(late).toMatchObject({ code: 3 });
    expect(late.err).toContain('1 of 4');
    answers.set('GET /v1/rollout/acme/app', stream(rollout(5, 0, { live: 0, lagging: 0 })));
    expect((await pawl('wait', 'acme/app', '--timeout', '150ms')).code).toBe(3);
  });
});

describe('pawl apply', () => {
  it('maps a folder onto addresses: ancestors first, schemas before documents', async () => {
    await file('acme/prod.yaml', 'a: 1');
    await file('acme/prod/app.limits.yaml', 'max: 1');
    await file('acme.schema.json', '{}');
    await file('acme.json', '{}');
    await file('notes.txt', 'not a definition');
    answers.set('PUT /v1/schema/acme', written(1));
    answers.set('PUT /v1/config/acme', written(2));
    answers.set('PUT /v1/config/acme/prod', written(1));
    answers.set('PUT /v1/config/acme/prod/app:limits', written(1));
    const { code, out } = await pawl('apply', '-f', folder);
    expect(code).toBe(0);
    expect(requests.filter(({ line }) => line.startsWith('PUT')).map(({ line }) => line)).toEqual([
      'PUT /v1/schema/acme',
      'PUT /v1/config/acme',
      'PUT /v1/config/acme/prod',
      'PUT /v1/config/acme/prod/app:limits',
    ]);
    expect(requests.at(-1)?.headers['if-none-match']).toBe('*');
    expect(out).toContain('acme/prod/app:limits  document  created    1'.slice(0, 20));
  });

  it('says unchanged where the server made no version', async () => {
    await file('acme/app.yaml', 'a: 1');
    answers.set('GET /v1/config/acme/app', json({ version: 7 }));
    answers.set('PUT /v1/config/acme/app', written(7));
    const { out } = await pawl('apply', '-f', folder);
    expect(out).toMatch(/acme\/app +document +unchanged +7/);
    expect(requests.at(-1)?.headers['if-match']).toBe('"7"');
  });

  it('writes nothing when one file is no YAML or names no address', async () => {
    await file('acme/app.yaml', 'a: 1');
    await file('acme/zzz.yaml', 'a: [1');
    expect((await pawl('apply', '-f', folder)).code).toBe(2);
    await rm(join(folder, 'acme/zzz.yaml'));
    await file('acme/Upper.yaml', 'a: 1');
    expect((await pawl('apply', '-f', folder)).code).toBe(2);
    expect(requests).toEqual([]);
  });
});
