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

/** What waits for a client to send a text. */
export interface Trap {
  /** The connection on which it was sent; null: not yet. */
  readonly passage: Pick<Passage, 'back'> | null;
}

const HOST = '127.0.0.1';

/** One node's only way to one service: a TCP proxy, whichever end speaks first. */
export class ClientGate {
  readonly #passages = new Set<Passage>();
  #trap: { text: string; act: () => void; passage: Passage | null } | null = null;
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

  /** Does something when the client next sends a text, before that is passed on. One at a time. */
  trap(text: string, act: () => void): Trap {
    const trap = { text, act, passage: null };
    this.#trap = trap;
    return trap;
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
    const trap = this.#trap;
    if (trap === null || !chunk.includes(trap.text)) return;
    this.#trap = null;
    trap.passage = passage;
    trap.act();
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
