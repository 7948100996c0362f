import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { problem, problemDocument } from '@pawl/contracts';
import type { RolloutRelease, RolloutView, StrategyStage } from '@pawl/contracts';
import { runCli } from '../run-cli.js';

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;
type Env = Readonly<Record<string, string | undefined>>;

interface RunOptions {
  readonly env?: Env;
  readonly isTty?: boolean;
  readonly isInputTty?: boolean;
  /** What a person answers to a question; nobody is there unless told. */
  readonly answer?: string;
  readonly signal?: AbortSignal;
  /** Called with all that was printed so far. */
  readonly onOut?: (out: string) => void;
  /** The same of standard error. */
  readonly onErr?: (err: string) => void;
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A control plane of canned answers, a folder for files, and the CLI run in this process. */
export class CliWorld {
  /** By method and path; whatever else is asked is not found. */
  readonly answers = new Map<string, Answer>();
  readonly requests: { line: string; headers: IncomingMessage['headers']; body: string }[] = [];

  private constructor(
    private readonly server: Server,
    readonly folder: string,
  ) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        const line = `${request.method} ${request.url}`;
        this.requests.push({ line, headers: request.headers, body });
        const answer = this.answers.get(line) ?? refuse('not-found', 'nothing there');
        answer(request, response);
      });
    });
  }

  static async start(): Promise<CliWorld> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new CliWorld(server, await mkdtemp(join(tmpdir(), 'pawl-cli-')));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    await rm(this.folder, { recursive: true, force: true });
  }

  get env(): Env {
    const { port } = this.server.address() as AddressInfo;
    return { PAWL_URL: `http://127.0.0.1:${port}`, USER: 'ada' };
  }

  pawl(...args: string[]): Promise<Ran> {
    return this.run(args);
  }

  async run(
    args: readonly string[],
    {
      env = this.env,
      isTty = false,
      isInputTty = false,
      answer,
      signal = new AbortController().signal,
      onOut,
      onErr,
    }: RunOptions = {},
  ): Promise<Ran> {
    let out = '';
    let err = '';
    const code = await runCli({
      args,
      env,
      terminal: {
        out: (text) => {
          out += text;
          onOut?.(out);
        },
        err: (text) => {
          err += text;
          onErr?.(err);
        },
        isTty,
        isInputTty,
        columns: 80,
        color: false,
        readInput: () => Promise.resolve('a: 1\n'),
        ask: (question) => {
          err += question;
          return Promise.resolve(answer ?? null);
        },
        now: () => 0,
      },
      signal,
    });
    return { code, out, err };
  }

  async file(name: string, content: string | Buffer): Promise<string> {
    const path = join(this.folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    return path;
  }

  /** Methods and paths that were asked, without reads. */
  writes(): string[] {
    return this.requests.map(({ line }) => line).filter((line) => !line.startsWith('GET'));
  }
}

export function json(value: unknown): Answer {
  return (_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
  };
}

export function refuse(
  code: Parameters<typeof problem>[0],
  detail: string,
  extra: Parameters<typeof problem>[2] = {},
): Answer {
  const document = problemDocument(problem(code, detail, extra));
  return (_request, response) => {
    response.writeHead(document.status, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify(document));
  };
}

export function stream(...views: RolloutView[]): Answer {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const [id, view] of views.entries()) {
      response.write(`: hi\n\nevent: rollout\nid: ${id}\ndata: ${JSON.stringify(view)}\n\n`);
    }
  };
}

/** A stream that the server ends in order after these. */
export function ending(...views: RolloutView[]): Answer {
  return (request, response) => {
    stream(...views)(request, response);
    response.end();
  };
}

/** A stream whose connection breaks after these. */
export function breaking(...views: RolloutView[]): Answer {
  return (request, response) => {
    stream(...views)(request, response);
    response.write(': cut off', () => response.destroy());
  };
}

/** A rollout to four live consumers of `acme/app`, unless `more` says otherwise. */
export function rollout(
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

export const written = (version: number): Answer =>
  json({ address: 'acme/app', version, hash: '', author: 'ada', createdAt: '', warnings: [] });

export const definition = (version: number): Answer =>
  json({
    address: 'acme/app',
    version,
    document: { a: 1 },
    hash: '',
    author: 'ada',
    createdAt: '2026-01-01T00:00:00.000Z',
  });

export const release = (stableVersion: number | null, more: object = {}): Answer =>
  json({ address: 'acme/app', state: 'idle', releaseVersion: 7, stableVersion, ...more });

const STAGES: readonly StrategyStage[] = [
  { count: 1, bakeMs: 300_000 },
  { percent: 10, bakeMs: 300_000 },
  { percent: 100, bakeMs: 600_000 },
];

/** Version 3 of `acme/app` at the second of three stages, unless `more` says otherwise. */
export function underWay(more: Partial<RolloutRelease> = {}): RolloutRelease {
  return {
    ...{ id: 'r1', address: 'acme/app', state: 'rolling', candidate: 3, stage: 1, stages: STAGES },
    candidates: { live: 4, applied: 3, rejected: 0, lagging: 1, lost: 0 },
    ...more,
  };
}

/** What the address of the same release tells of it. */
export const releaseInStages = (more: object = {}, state = 'rolling'): Answer =>
  release(2, {
    ...{ state, candidate: 3 },
    staged: {
      ...{ id: 'r1', strategy: 'canary', stage: 1, stages: STAGES },
      gates: [
        { kind: 'rejections', limit: 0, onFailure: 'abort' },
        { kind: 'lost', percent: 5, onFailure: 'pause' },
        { kind: 'applied', percent: 95, withinMs: 60_000, onFailure: 'pause' },
      ],
      ...more,
    },
  });
