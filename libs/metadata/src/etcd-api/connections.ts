import type { Timer } from '@pawl/kernel';
import { once } from 'node:events';
import type { ServerHttp2Session } from 'node:http2';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { EtcdLimits } from './limits.js';

/** How long a connection is silent before TCP asks whether the other end is there. */
const TCP_KEEP_ALIVE_MS = 30_000;

/** The sockets of clients: at most so many, and only such as speak HTTP/2 soon. */
export class Connections {
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  /** What is done when a socket has said what HTTP/2 begins with, by its two ends. */
  readonly #silent = new Map<string, () => void>();

  constructor(limits: EtcdLimits, timer: Timer, serve: (socket: Socket) => void) {
    const options = {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    };
    this.#listener = createServer(options, (socket) => {
      this.#sockets.add(socket);
      const ends = endsOf(socket);
      const late = timer.after(limits.helloMs, () => socket.destroy());
      this.#silent.set(ends, () => late.cancel());
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        late.cancel();
        this.#silent.delete(ends);
      });
      serve(socket);
    });
    this.#listener.maxConnections = limits.connections;
  }

  /** Resolves with where it listens; port 0 is one that is free. A server listens already. */
  async listen(place: Server | { host: string; port: number }): Promise<AddressInfo> {
    this.#listener.listen(place);
    await once(this.#listener, 'listening');
    return this.#listener.address() as AddressInfo;
  }

  /** A session begins on a socket: plain at once, with TLS after the handshake. */
  begin(session: ServerHttp2Session): void {
    const ends = endsOf(session.socket);
    session.once('remoteSettings', () => {
      this.#silent.get(ends)?.();
      this.#silent.delete(ends);
    });
  }

  /** Takes no more; resolves when all are closed. */
  async close(): Promise<void> {
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    await closed;
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** What no two open sockets have in common; a TLS socket and the one below it have. */
function endsOf({
  remoteAddress,
  remotePort,
  localAddress,
}: Socket | ServerHttp2Session['socket']) {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
