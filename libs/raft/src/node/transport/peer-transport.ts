import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { NodeId, SnapshotMessage } from '../../core/index.js';
import { askAnybody } from './ask-anybody.js';
import type { NodeIdentity } from './handshake.js';
import { KnownFolders } from './known-folders.js';
import type { PlainMessage } from './message-codec.js';
import { RequestError } from './outgoing-requests.js';
import { PeerLink } from './peer-link.js';
import { PeerServer } from './peer-server.js';
import { printable } from './protocol-error.js';
import { SnapshotSender } from './snapshot-sender.js';
import type { TransportContext } from './transport-context.js';
import { checkOptions, checkPeers, DEFAULT_TRANSPORT_LIMITS } from './transport-options.js';
import type {
  PeerAddress,
  SnapshotSource,
  TransportEvents,
  TransportOptions,
} from './transport-options.js';

/** How nodes reach each other over TCP. */
export type TcpOptions = Omit<TransportOptions, 'self' | keyof TransportEvents>;

/** Connects a node with others over TCP, once it knows who it is. */
export function overTcp(
  options: TcpOptions,
): (self: NodeIdentity, events: TransportEvents) => Promise<PeerTransport> {
  return (self, events) => PeerTransport.start({ ...options, self, ...events });
}

/**
 * Carries messages and snapshots between the nodes of a quorum, over one connection per peer and
 * direction. Messages arrive in the order of sending except that appends may arrive after what was
 * sent later; each at most once; lost when the connection is or the peer does not keep up.
 */
export class PeerTransport {
  readonly #links = new Map<NodeId, PeerLink>();
  readonly #snapshots = new Map<NodeId, SnapshotSender>();
  /** Ids that are sent to and are no peers, each reported once. */
  readonly #unknown = new Set<NodeId>();
  #server: PeerServer | null = null;
  #closed = false;

  private constructor(private readonly context: TransportContext) {}

  /** Listens and begins to connect. Rejects when it cannot listen or the TLS texts are not good. */
  static async start(options: TransportOptions): Promise<PeerTransport> {
    const limits = { ...DEFAULT_TRANSPORT_LIMITS, ...options.limits };
    checkOptions(options, limits);
    const { tls, listen, peers } = options;
    const secure =
      tls === undefined ? null : createSecureContext({ ...tls, minVersion: 'TLSv1.3' });
    const transport: PeerTransport = new PeerTransport({
      options: { ...options, ...whileOpen(options, () => !transport.#closed) },
      limits,
      folders: new KnownFolders(),
      secure,
      dialled: new Set(),
    });
    if (listen !== null) {
      const isPeer = (id: NodeId): boolean => transport.#links.has(id);
      const onPeer = (id: NodeId): void => transport.#links.get(id)?.hurry();
      transport.#server = await PeerServer.listen(transport.context, listen, { isPeer, onPeer });
    }
    transport.setPeers(peers);
    return transport;
  }

  /** Where peers connect; `null` when nothing listens. */
  get address(): { readonly host: string; readonly port: number } | null {
    return this.#server?.address ?? null;
  }

  /** Takes the message along or loses it, which `onUnreachable` says later; never waits. */
  send(message: PlainMessage): void {
    if (this.#closed) return;
    const link = this.#links.get(message.to);
    if (link === undefined) this.#reportUnknown(message.to);
    else link.send(message);
  }

  /** Asks a peer's host; rejects with a {@link RequestError}, `deadlineMs` from now at the latest. */
  request(to: NodeId, body: Uint8Array, deadlineMs: number): Promise<Uint8Array> {
    const link = this.#links.get(to);
    if (link !== undefined) return link.request(body, deadlineMs);
    const name = printable(to);
    return Promise.reject(new RequestError('unsent', `no address is known for ${name}`));
  }

  /** Asks whoever of the cluster listens there, as somebody whom it need not know; rejects likewise. */
  ask(at: PeerAddress, body: Uint8Array, deadlineMs: number): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new RequestError('unsent', 'this node is stopped'));
    return askAnybody(this.context, at, body, deadlineMs);
  }

  /**
   * Sends a snapshot beside the messages; `onSnapshotEnded` tells how it went. One that is under way
   * to the same node is given up for it, without a report of its own.
   */
  sendSnapshot(message: SnapshotMessage, openState: () => SnapshotSource): void {
    if (this.#closed) return;
    const id = message.to;
    const link = this.#links.get(id);
    if (link === undefined) {
      this.#reportUnknown(id);
      this.#failSnapshot(id);
      return;
    }
    this.#snapshots.get(id)?.close();
    const onEnded = (delivered: boolean): void => {
      this.#snapshots.delete(id);
      this.context.options.onSnapshotEnded(id, delivered);
    };
    const job = { peer: link.peer, message, openState, onEnded };
    this.#snapshots.set(id, new SnapshotSender(this.context, job));
  }

  /**
   * Replaces the peers. Connections with those that stay where they are go on; what was known of
   * those that leave is forgotten, and a snapshot under way to them has failed.
   */
  setPeers(peers: readonly PeerAddress[]): void {
    if (this.#closed) return;
    checkPeers(this.context.options.self.id, peers);
    const wanted = new Map(peers.map((peer) => [peer.id, peer]));
    for (const [id, { peer }] of [...this.#links]) {
      const now = wanted.get(id);
      if (now?.host !== peer.host || now.port !== peer.port) this.#drop(id);
      if (now === undefined) this.context.folders.forget(id);
    }
    for (const [id, peer] of wanted) {
      const { folderId } = peer;
      if (folderId !== undefined && this.context.folders.expect(id, folderId)) {
        this.#drop(id);
        this.#server?.drop(id);
      }
      if (!this.#links.has(id)) this.#links.set(id, new PeerLink(this.context, peer));
    }
    this.#unknown.clear();
    this.#server?.dropOthers();
  }

  /** Ends everything, loses what waits, reports nothing any more. Resolves once no socket is open. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const link of this.#links.values()) link.close();
    for (const sender of this.#snapshots.values()) sender.close();
    this.#links.clear();
    this.#snapshots.clear();
    const dialled = [...this.context.dialled].map(closed);
    for (const socket of this.context.dialled) socket.destroy();
    await Promise.all([...dialled, this.#server?.close()]);
  }

  #drop(id: NodeId): void {
    this.#links.get(id)?.close();
    this.#links.delete(id);
    const sender = this.#snapshots.get(id);
    if (sender === undefined) return;
    sender.close();
    this.#snapshots.delete(id);
    this.#failSnapshot(id);
  }

  #failSnapshot(id: NodeId): void {
    queueMicrotask(() => this.context.options.onSnapshotEnded(id, false));
  }

  #reportUnknown(id: NodeId): void {
    if (this.#unknown.has(id)) return;
    this.#unknown.add(id);
    queueMicrotask(() => {
      this.context.options.onProblem(`no address is known for ${printable(id)}`);
      this.context.options.onUnreachable(id);
    });
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

function whileOpen(events: TransportEvents, open: () => boolean): TransportEvents {
  return {
    onMessage: (message) => void (open() && events.onMessage(message)),
    onSnapshot: (message, state) => void (open() && events.onSnapshot(message, state)),
    onUnreachable: (id) => void (open() && events.onUnreachable(id)),
    onRequest: async (from, body) => {
      if (!open()) throw new Error('this node is stopped');
      return events.onRequest(from, body);
    },
    onSnapshotEnded: (id, delivered) => void (open() && events.onSnapshotEnded(id, delivered)),
    onProblem: (text) => void (open() && events.onProblem(text)),
  };
}
