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

const HOST = '127.0.0.1';

/** One node's only way to one service: a TCP proxy, whichever end speaks first. */
export class ClientGate {
  readonly #passages = new Set<Passage>();
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

  /** Bytes of the client that the service has not been given. */
  get heldThere(): number {
    return sum([...this.#passages].map(({ there }) => there.heldBytes));
  }

  /** Bytes of the service that the client has not been given. */
  get heldBack(): number {
    return sum([...this.#passages].map(({ back }) => back.heldBytes));
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

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
