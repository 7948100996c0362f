import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { NodeId } from '../../core/index.js';
import { IncomingConnection } from './incoming-connection.js';
import { describe } from './protocol-error.js';
import { SnapshotGate } from './snapshot-receiver.js';
import type { TransportContext } from './transport-context.js';
import type { ListenAddress } from './transport-options.js';

export interface PeerServerEvents {
  readonly isPeer: (id: NodeId) => boolean;
  /** A peer's connection for messages is there. */
  readonly onPeer: (id: NodeId) => void;
}

/** Where peers connect. Holds one connection per peer and purpose: a newer one ends the older. */
export class PeerServer {
  /** Where it listens, also after it is closed. */
  address: { readonly host: string; readonly port: number } = { host: '', port: 0 };
  readonly #server: Server;
  readonly #gate = new SnapshotGate();
  /** All sockets below TLS, by the other side's address. */
  readonly #sockets = new Map<string, Socket>();
  /** Of those: who has not said who it is, oldest first. */
  readonly #strangers = new Set<string>();
  readonly #connections = new Set<IncomingConnection>();
  #closed = false;

  private constructor(
    private readonly context: TransportContext,
    private readonly events: PeerServerEvents,
  ) {
    const { tls } = context.options;
    if (tls === undefined) {
      this.#server = createTcpServer({ noDelay: true }, (socket) => this.#accept(socket));
    } else {
      const { key, cert, ca } = tls;
      const mutual = {
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.3',
      } as const;
      const handshakeTimeout = context.limits.handshakeMs;
      const settings = { key, cert, ca, ...mutual, handshakeTimeout, noDelay: true };
      this.#server = createTlsServer(settings, (socket) => this.#accept(socket));
      this.#server.on('tlsClientError', (error: Error, socket: Socket) => {
        context.options.onProblem(`a connection is refused: ${describe(error)}`);
        socket.destroy();
      });
    }
    this.#server.on('connection', (socket: Socket) => this.#admit(socket));
  }

  /** Rejects when the address cannot be listened at. */
  static async listen(
    context: TransportContext,
    { host, port, taken }: ListenAddress,
    events: PeerServerEvents,
  ): Promise<PeerServer> {
    const server = new PeerServer(context, events);
    server.#server.listen(taken ?? { host, port });
    await once(server.#server, 'listening');
    const at = server.#server.address() as AddressInfo;
    server.address = { host: at.address, port: at.port };
    server.#server.on('error', (error) => {
      context.options.onProblem(`connections from peers are not accepted: ${describe(error)}`);
    });
    return server;
  }

  /** Ends all connections of a peer. */
  drop(id: NodeId): void {
    for (const connection of [...this.#connections]) {
      if (connection.peer?.id === id) connection.close();
    }
  }

  /** Ends all connections of what is no peer any more. */
  dropOthers(): void {
    for (const connection of [...this.#connections]) {
      const { peer } = connection;
      if (peer !== null && !this.events.isPeer(peer.id)) connection.close();
    }
  }

  /** Resolves once nothing is open any more. */
  async close(): Promise<void> {
    this.#closed = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of [...this.#connections]) connection.close();
    for (const socket of this.#sockets.values()) socket.destroy();
    await closed;
  }

  #admit(socket: Socket): void {
    const key = keyOf(socket);
    if (this.#closed || key === null) {
      socket.destroy();
      return;
    }
    this.#sockets.set(key, socket);
    this.#strangers.add(key);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.#sockets.delete(key);
      this.#strangers.delete(key);
    });
    const [oldest] = this.#strangers;
    if (this.#strangers.size > this.context.limits.pendingHandshakes && oldest !== undefined) {
      this.#sockets.get(oldest)?.destroy();
    }
  }

  #accept(socket: Socket): void {
    const connection = new IncomingConnection(this.context, socket, {
      gate: this.#gate,
      isPeer: this.events.isPeer,
      onOpen: () => this.#opened(connection),
      onEnded: () => void this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }

  #opened(connection: IncomingConnection): void {
    const { peer, socket } = connection;
    if (peer === null) return;
    this.#strangers.delete(keyOf(socket) ?? '');
    for (const other of [...this.#connections]) {
      if (other === connection) continue;
      if (other.peer?.id === peer.id && other.peer.purpose === peer.purpose) other.close();
    }
    if (peer.purpose === 'messages') this.events.onPeer(peer.id);
  }
}

/** Unique among open connections; `null` for one that is gone already. */
function keyOf({ remoteAddress, remotePort }: Socket): string | null {
  return remotePort === undefined ? null : `${remoteAddress}:${remotePort}`;
}
