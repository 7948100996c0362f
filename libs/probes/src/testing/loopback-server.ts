import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Heard {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type Answer = (heard: Heard, response: ServerResponse) => void;

/** A real HTTP server on a free port of loopback, which answers as a test wants. */
export class LoopbackServer {
  readonly heard: Heard[] = [];
  /** Connections that were opened. */
  connections = 0;
  /** Connections that are open. */
  open = 0;
  answer: Answer = (_, response) => response.end();
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const body = Buffer.concat(chunks).toString('utf8');
      const heard = { method, target: url, headers, body };
      this.heard.push(heard);
      this.answer(heard, response);
    });
  });

  static async start(): Promise<LoopbackServer> {
    const server = new LoopbackServer();
    server.#server.on('connection', (socket) => {
      server.connections += 1;
      server.open += 1;
      socket.on('close', () => (server.open -= 1));
    });
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  /** `host:port`. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get url(): string {
    return `http://${this.host}`;
  }

  /** Answers everything with this. */
  says(status: number, body: string | object, headers: Record<string, string> = {}): void {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    this.answer = (_, response) => response.writeHead(status, headers).end(text);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
