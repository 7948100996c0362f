import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Links } from './links.js';
import { Pipe } from './pipe.js';

export interface GateOptions {
  /** The node behind it. */
  readonly node: string;
  /** Where the others find it, and where it really listens. */
  readonly port: number;
  readonly behindPort: number;
  readonly links: Links;
  /** Whoever sent these first bytes of a connection; null: more are needed. */
  readonly identify: (first: Buffer) => string | null;
  /** The name of the node that was so identified, asked for whenever it matters; else anything. */
  readonly nameOf: (caller: string) => string;
}

const HOST = '127.0.0.1';

/**
 * The only way for other nodes to one node: a TCP proxy that knows from the first bytes who calls,
 * and treats what passes as the links between the two are.
 */
export class NodeGate {
  private readonly connections = new Set<Passage>();
  private readonly unsubscribe: () => void;

  private constructor(
    private readonly server: Server,
    private readonly options: GateOptions,
  ) {
    this.unsubscribe = options.links.onChange(() => {
      for (const connection of [...this.connections]) connection.linkChanged();
    });
    server.on('connection', (socket) => this.accept(socket));
  }

  static async open(options: GateOptions): Promise<NodeGate> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: false });
    server.listen({ port: options.port, host: HOST, exclusive: true });
    await once(server, 'listening');
    return new NodeGate(server, options);
  }

  /** Where the others find it. */
  get port(): number {
    return this.options.port;
  }

  async close(): Promise<void> {
    this.unsubscribe();
    for (const connection of [...this.connections]) connection.end();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(socket: Socket): void {
    const passage = new Passage(socket, this.options);
    this.connections.add(passage);
    socket.once('close', () => this.connections.delete(passage));
  }
}

/** One connection through a gate. */
class Passage {
  private caller: string | null = null;
  private first: Buffer = Buffer.alloc(0);
  private behind: Socket | null = null;
  private pipes: readonly Pipe[] = [];

  constructor(
    private readonly socket: Socket,
    private readonly options: GateOptions,
  ) {
    socket.setNoDelay(true);
    socket.on('error', () => this.end());
    socket.once('close', () => this.end());
    socket.on('data', this.read);
  }

  linkChanged(): void {
    if (this.isBroken()) this.end();
    else for (const pipe of this.pipes) pipe.pump();
  }

  end(): void {
    for (const pipe of this.pipes) pipe.close();
    this.socket.destroy();
    this.behind?.destroy();
  }

  private readonly read = (chunk: Buffer) => {
    this.first = Buffer.concat([this.first, chunk]);
    this.caller = this.options.identify(this.first);
    if (this.caller === null) return;
    this.socket.off('data', this.read);
    if (this.isBroken()) this.end();
    else this.pass(this.caller);
  };

  private pass(caller: string): void {
    const { node, behindPort, links, nameOf } = this.options;
    const behind = connect({ port: behindPort, host: HOST, allowHalfOpen: true });
    behind.setNoDelay(true);
    this.behind = behind;
    behind.on('error', () => this.end());
    behind.once('close', () => this.end());
    const name = () => nameOf(caller);
    const there = new Pipe({ from: this.socket, to: behind }, () => links.get(name(), node));
    const back = new Pipe({ from: behind, to: this.socket }, () => links.get(node, name()));
    this.pipes = [there, back];
    there.take(this.first);
  }

  private isBroken(): boolean {
    const { node, links, nameOf } = this.options;
    if (this.caller === null) return false;
    const name = nameOf(this.caller);
    return [links.get(name, node), links.get(node, name)].some(({ kind }) => kind === 'broken');
  }
}
