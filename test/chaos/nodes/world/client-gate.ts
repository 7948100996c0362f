import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Links } from '../../network/links.js';
import { Pipe } from '../../network/pipe.js';

export interface ClientGateOptions {
  /** Who uses it, and what lies behind: names of the links that it obeys. */
  readonly client: string;
  readonly service: string;
  readonly behindPort: number;
  readonly links: Links;
}

interface Passage {
  readonly there: Pipe;
  readonly back: Pipe;
  readonly end: () => void;
}

/** The connection on which a client sent what was waited for. */
export type Trapped = Pick<Passage, 'back'>;

const HOST = '127.0.0.1';

/** One node's only way to one service: a TCP proxy, whichever end speaks first. */
export class ClientGate {
  readonly #passages = new Set<Passage>();
  #trap: { text: string; spring: (passage: Passage) => void } | null = null;
  readonly #unsubscribe: () => void;

  private constructor(
    private readonly server: Server,
    private readonly options: ClientGateOptions,
  ) {
    this.#unsubscribe = options.links.onChange(() => this.#linkChanged());
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async open(options: ClientGateOptions): Promise<ClientGate> {
    const server = createServer({ allowHalfOpen: true });
    server.listen({ port: 0, host: HOST });
    await once(server, 'listening');
    return new ClientGate(server, options);
  }

  get port(): number {
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('the gate is closed');
    return address.port;
  }

  /**
   * Does something when the client next sends a text, before that is passed on, and resolves with the
   * connection; rejects when none is sent in time. One at a time.
   */
  trap(text: string, act: () => void, withinMs: number): Promise<Trapped> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#trap = null;
        reject(new Error(`${this.options.client} has sent no ${text}`));
      }, withinMs);
      const spring = (passage: Passage): void => {
        clearTimeout(timer);
        this.#trap = null;
        act();
        resolve(passage);
      };
      this.#trap = { text, spring };
    });
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    for (const { end } of [...this.#passages]) end();
    this.server.close();
    await once(this.server, 'close');
  }

  #accept(socket: Socket): void {
    if (this.#isBroken()) {
      socket.destroy();
      return;
    }
    const { client, service, behindPort, links } = this.options;
    const behind = connect({ port: behindPort, host: HOST, allowHalfOpen: true });
    for (const one of [socket, behind]) one.setNoDelay(true);
    // Before the pipe listens, so that a trap is sprung before anything moves on.
    socket.on('data', (chunk: Buffer) => this.#spring(passage, chunk));
    const passage: Passage = {
      there: new Pipe({ from: socket, to: behind }, () => links.get(client, service)),
      back: new Pipe({ from: behind, to: socket }, () => links.get(service, client)),
      end: () => {
        passage.there.close();
        passage.back.close();
        socket.destroy();
        behind.destroy();
        this.#passages.delete(passage);
      },
    };
    this.#passages.add(passage);
    for (const one of [socket, behind]) {
      one.on('error', passage.end);
      one.once('close', passage.end);
    }
  }

  #spring(passage: Passage, chunk: Buffer): void {
    if (this.#trap !== null && chunk.includes(this.#trap.text)) this.#trap.spring(passage);
  }

  #linkChanged(): void {
    const isBroken = this.#isBroken();
    for (const { there, back, end } of [...this.#passages]) {
      if (isBroken) end();
      else for (const pipe of [there, back]) pipe.pump();
    }
  }

  #isBroken(): boolean {
    const { client, service, links } = this.options;
    return [links.get(client, service), links.get(service, client)].some(
      ({ kind }) => kind === 'broken',
    );
  }
}
