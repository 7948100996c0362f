import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addressText } from '@pawl/platform';
import type { HostPort, Metrics } from '@pawl/platform';
import { CliError } from '../../exit-codes.js';

/** Connections that may be open; probes and scrapers need few. */
const MAX_CONNECTIONS = 256;
const REQUEST_MS = 10_000;

export interface MemberHttpOptions {
  readonly listen: HostPort;
  /** Null: fine; else what is wrong. Has a deadline of its own. */
  readonly health: () => Promise<string | null>;
  readonly metrics: Metrics;
}

export interface MemberHttp {
  /** Base URL. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves `/health` (200 or 503, in etcd's words) and `/metrics`. */
export async function serveMemberHttp(options: MemberHttpOptions): Promise<MemberHttp> {
  const server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0];
    void answer(options, request.method ?? '', path ?? '', response).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listening(server, options.listen);
  const { port } = server.address() as AddressInfo;
  return { url: `http://${addressText({ ...options.listen, port })}`, close: () => closed(server) };
}

async function answer(
  { health, metrics }: MemberHttpOptions,
  method: string,
  path: string,
  response: ServerResponse,
): Promise<void> {
  if (method !== 'GET' && method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  if (path === '/metrics') {
    const text = await metrics.text();
    response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
    return;
  }
  if (path !== '/health') {
    response.writeHead(404).end();
    return;
  }
  const problem = await health();
  const body = JSON.stringify({ health: String(problem === null), reason: problem ?? '' });
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  response.writeHead(problem === null ? 200 : 503, headers).end(`${body}\n`);
}

async function listening(server: Server, { host, port }: HostPort): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    throw new CliError(
      `cannot listen on ${addressText({ host, port })} for health and metrics (${(error as Error).message}); set PAWL_HTTP_PORT to a free port`,
    );
  }
}

async function closed(server: Server): Promise<void> {
  const done = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await done;
}
