import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can be closed: connections through it break, and new ones do too. */
export class TcpGate {
  readonly #sockets = new Set<Socket>();
  #closed = false;

  private constructor(
    private readonly server: ReturnType<typeof createServer>,
    private readonly target: { readonly host: string; readonly port: number },
  ) {
    server.on('connection', (from) => this.#take(from));
  }

  static async to(url: string): Promise<TcpGate> {
    const { hostname, port } = new URL(url);
    const gate = new TcpGate(createServer(), { host: hostname, port: Number(port) });
    await new Promise<void>((resolve) => gate.server.listen(0, '127.0.0.1', resolve));
    return gate;
  }

  /** The given URL, through the gate. */
  through(url: string): string {
    const way = new URL(url);
    way.hostname = '127.0.0.1';
    way.port = String((this.server.address() as AddressInfo).port);
    return way.href;
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  open(): void {
    this.#closed = false;
  }

  async end(): Promise<void> {
    this.close();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #take(from: Socket): void {
    if (this.#closed) {
      from.destroy();
      return;
    }
    const to = connect(this.target);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
