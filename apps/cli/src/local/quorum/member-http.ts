import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { explainListen } from '@pawl/metadata';
import { addressText } from '@pawl/platform';
import type { HostPort, Metrics } from '@pawl/platform';

/** Connections that may be open; probes and scrapers need few. */
const MAX_CONNECTIONS = 256;
const REQUEST_MS = 10_000;
const STARTS = 'the member starts';

/** What is told of a member that runs. */
export interface MemberView {
  /** Null: fine; else what is wrong. Has a deadline of its own. */
  readonly health: () => Promise<string | null>;
  readonly metrics: Metrics;
}

/** `/health` (200 or 503, in etcd's words) and `/metrics`: both 503 until there is a view to show. */
export class MemberHttp {
  readonly #server: Server;
  readonly #at: HostPort;
  #view: MemberView | null = null;

  constructor(at: HostPort) {
    this.#at = at;
    this.#server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
      const path = (request.url ?? '').split('?', 1)[0] ?? '';
      void this.#answer(request.method ?? '', path, response).catch(() => {
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Rejects with a sentence for people when it cannot listen. */
  async listen(): Promise<void> {
    const { host, port } = this.#at;
    this.#server.listen(port, host);
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      const address = addressText(this.#at);
      throw explainListen(error, { address, what: 'health and metrics', setting: 'PAWL_HTTP' });
    }
  }

  /** Base URL, once it listens. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://${addressText({ ...this.#at, port })}`;
  }

  show(view: MemberView): void {
    this.#view = view;
  }

  async close(): Promise<void> {
    const done = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await done;
  }

  async #answer(method: string, path: string, response: ServerResponse): Promise<void> {
    const view = this.#view;
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (path === '/health') {
      const problem = view === null ? STARTS : await view.health();
      const body = JSON.stringify({ health: String(problem === null), reason: problem ?? '' });
      const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
      response.writeHead(problem === null ? 200 : 503, headers).end(`${body}\n`);
    } else if (path !== '/metrics') {
      response.writeHead(404).end();
    } else if (view === null) {
      response.writeHead(503).end(`${STARTS}\n`);
    } else {
      const text = await view.metrics.text();
      response.writeHead(200, { 'content-type': view.metrics.contentType }).end(text);
    }
  }
}
