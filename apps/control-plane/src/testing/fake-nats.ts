import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const PONG = 'PONG\r\n';

/** JetStream's, for a stream that does not exist. */
const NOT_FOUND = JSON.stringify({ error: { code: 404, description: 'stream not found' } });

/**
 * A NATS server that speaks as much of the protocol as a connection needs, and may stand still.
 * JetStream answers that there is no stream.
 */
export class FakeNats {
  readonly #sockets = new Set<Socket>();
  /** Pings that are not answered yet, in all. */
  #owed: Socket[] = [];
  #hangs = false;

  private constructor(private readonly server: Server) {
    server.on('connection', (socket) => this.#greet(socket));
  }

  static async started(): Promise<FakeNats> {
    const server = createServer();
    const nats = new FakeNats(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return nats;
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Whether it takes everything and answers nothing; afterwards it answers what it was asked. */
  set hangs(hangs: boolean) {
    this.#hangs = hangs;
    if (hangs) return;
    for (const socket of this.#owed.splice(0)) socket.write(PONG);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    const info = {
      server_id: 'fake',
      version: '2.10.0',
      proto: 1,
      headers: true,
      max_payload: 1e6,
    };
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    let rest = '';
    let inbox = '';
    socket.on('data', (data) => {
      const lines = (rest + data.toString('latin1')).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [verb, subject = '', ...more] = line.split(/ +/);
        if (verb === 'PING') this.#owe(socket);
        if (verb === 'SUB' && subject.startsWith('_INBOX.')) inbox = more.at(-1) ?? '';
        if (verb === 'PUB' && subject.startsWith('$JS.API.')) this.#answer(socket, more[0], inbox);
      }
    });
  }

  #answer(socket: Socket, reply: string | undefined, subscription: string): void {
    if (this.#hangs) return;
    socket.write(`MSG ${reply} ${subscription} ${NOT_FOUND.length}\r\n${NOT_FOUND}\r\n`);
  }

  #owe(socket: Socket): void {
    if (this.#hangs) this.#owed.push(socket);
    else socket.write(PONG);
  }
}
