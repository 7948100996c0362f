import { connect } from 'node:net';
import type { ProblemDocument } from '@pawl/contracts';

export interface HttpRequest {
  readonly method?: string;
  /** From the slash on; `fetch` normalises it, {@link sendRaw} does not. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as `application/json` unless the headers say otherwise. */
  readonly body?: string | Buffer;
  /** How long {@link send} waits for the whole answer; half a minute unless told. */
  readonly deadlineMs?: number;
}

/** An answer, read to its end. */
export class HttpAnswer {
  constructor(
    readonly status: number,
    readonly headers: Headers,
    readonly text: string,
  ) {}

  json<T = unknown>(): T {
    return JSON.parse(this.text) as T;
  }

  /** The body as a problem; whether it is one is for the caller to assert. */
  problem(): ProblemDocument {
    return this.json();
  }
}

const DEADLINE_MS = 30_000;

/** Sends a request to the server at `base`; never rejects because of a status. */
export async function send(base: string, request: HttpRequest): Promise<HttpAnswer> {
  const answer = await fetch(base + request.path, {
    method: request.method ?? 'GET',
    headers: withContentType(request),
    ...(request.body === undefined ? {} : { body: request.body }),
    signal: AbortSignal.timeout(request.deadlineMs ?? DEADLINE_MS),
  });
  return new HttpAnswer(answer.status, answer.headers, await answer.text());
}

/** Sends a request over a socket of its own, to the byte as it is given. */
export function sendRaw(base: string, request: HttpRequest): Promise<HttpAnswer> {
  const { hostname, port, host } = new URL(base);
  const body = Buffer.from(request.body ?? '');
  const headers = {
    host,
    connection: 'close',
    ...(request.body === undefined ? {} : { 'content-length': String(body.length) }),
    ...withContentType(request),
  };
  const head = [
    `${request.method ?? 'GET'} ${request.path} HTTP/1.1`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: DEADLINE_MS });
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
    socket.once('timeout', () => socket.destroy(new Error('no answer over the raw socket')));
    socket.once('error', reject);
    socket.once('end', () => resolve(parseAnswer(Buffer.concat(chunks).toString('utf8'))));
    socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), body]));
  });
}

function withContentType({ headers = {}, body }: HttpRequest): Record<string, string> {
  const given = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  return body === undefined || given
    ? { ...headers }
    : { 'content-type': 'application/json', ...headers };
}

/** Reads an answer that the server ended by closing the connection, without chunks. */
function parseAnswer(text: string): HttpAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
  return new HttpAnswer(Number(statusLine.split(' ')[1]), headers, text.slice(end + 4));
}
