import { assert } from '@pawl/kernel';
import type { Rng, Timer } from '@pawl/kernel';
import type { Server } from 'node:net';
import type { NodeId, SnapshotMessage } from '../../core/index.js';
import type { NodeIdentity } from './handshake.js';
import { isId } from './message-codec.js';
import type { PlainMessage } from './message-codec.js';
import { FRAME_OVERHEAD } from './peer-frame.js';
import type { QueueLimits } from './send-queue.js';

/** Where a peer listens, as seen from here. */
export interface PeerAddress {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
  /** Its data folder, if that is known: one with another is refused. */
  readonly folderId?: string;
  /**
   * That it has this folder is not from this node's own log: it may lead this node and ask for its
   * vote, but what it answers is not taken for an answer of the member that this node knows.
   */
  readonly hearsay?: boolean;
}

/**
 * PEM texts. Both sides show a certificate, and `ca` alone says which are good (TLS 1.3). Names in
 * certificates are not looked at: whoever holds one of this authority may be any configured peer.
 */
export interface PeerTls {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export interface TransportLimits extends QueueLimits {
  /** Payload of one frame; what a peer sends above it ends the connection. */
  readonly frameBytes: number;
  /** Of one write call, unless a single message is larger. */
  readonly writeBytes: number;
  readonly snapshotChunkBytes: number;
  /** State of one snapshot, sent or received. */
  readonly snapshotBytes: number;
  /** To one peer, without an answer; of one peer, not answered yet. */
  readonly requests: number;
  /** Incoming connections that have not said who they are; the oldest gives way. */
  readonly pendingHandshakes: number;
  /** From the start of a connection until both sides know each other. */
  readonly handshakeMs: number;
  /** Between signs of life on a connection. */
  readonly pingMs: number;
  /** Without any sign of life after which a connection is given up; rounded up to whole `pingMs`. */
  readonly silenceMs: number;
  /** Without another chunk of a snapshot after which it is given up. */
  readonly snapshotStallMs: number;
  /** Before the first new attempt to connect; doubled for each further one, half of it by chance. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  queueMessages: 4096,
  queueBytes: 64 * 1024 * 1024,
  frameBytes: 16 * 1024 * 1024,
  writeBytes: 256 * 1024,
  snapshotChunkBytes: 256 * 1024,
  snapshotBytes: 2 * 1024 * 1024 * 1024,
  requests: 4096,
  pendingHandshakes: 64,
  handshakeMs: 3000,
  pingMs: 500,
  silenceMs: 2000,
  snapshotStallMs: 10_000,
  retryMinMs: 50,
  retryMaxMs: 1000,
};

/** Called from events of sockets and timers, never while a method of the transport runs. */
export interface TransportEvents {
  /** A message from the peer that it says it is from, to this node. */
  onMessage(message: PlainMessage): void;
  /** Likewise, with the whole state, verified; the receiver owns it. */
  onSnapshot(message: SnapshotMessage, state: Uint8Array): void;
  /**
   * Messages to the peer were lost, or may have been: once when that begins, and not again before
   * the connection was there anew or the full queue empty.
   */
  onUnreachable(id: NodeId): void;
  /** The last snapshot asked for `id` is there, whole and verified; or it is not and will not come. */
  onSnapshotEnded(id: NodeId, delivered: boolean): void;
  /**
   * The peer asks, or for null anybody of the cluster; what this resolves with, or why it rejects,
   * goes back to it.
   */
  onRequest(from: NodeId | null, body: Uint8Array): Promise<Uint8Array>;
  /** One line for people; holds nothing that was sent but ids. May come often. */
  onProblem(text: string): void;
}

export interface ListenAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Listens there already, and is to be used for it. */
  readonly taken?: Server;
}

export interface TransportOptions extends TransportEvents {
  readonly self: NodeIdentity;
  /** `null`: nobody can connect here, which leaves this node unable to hear. */
  readonly listen: ListenAddress | null;
  /** Without this node itself. */
  readonly peers: readonly PeerAddress[];
  readonly tls?: PeerTls;
  readonly timer: Timer;
  /** Spreads attempts to connect. */
  readonly rng: Rng;
  /** Those left out are {@link DEFAULT_TRANSPORT_LIMITS}. */
  readonly limits?: Partial<TransportLimits>;
}

/** A snapshot's state on its way out. What hangs in it is given up after `snapshotStallMs`. */
export interface SnapshotSource extends AsyncIterable<Uint8Array> {
  /** Bytes that it will yield, in pieces of any size. */
  readonly length: number;
}

/** Throws an `InvariantError` where the transport could not work. */
export function checkOptions(options: TransportOptions, limits: TransportLimits): void {
  const { id, clusterId, folderId } = options.self;
  for (const name of [id, clusterId, folderId]) assert(isId(name), 'ids can travel');
  checkPeers(id, options.peers);
  for (const limit of Object.values(limits) as number[]) assert(limit >= 1, 'limits are positive');
  assert(limits.queueBytes >= limits.frameBytes, 'the largest message fits into an empty queue');
  assert(
    limits.frameBytes >= limits.snapshotChunkBytes + FRAME_OVERHEAD,
    'a chunk fits into a frame',
  );
  assert(limits.silenceMs >= 2 * limits.pingMs, 'one late sign of life is no silence');
  assert(limits.retryMaxMs >= limits.retryMinMs, 'attempts become rarer');
}

export function checkPeers(self: NodeId, peers: readonly PeerAddress[]): void {
  const ids = peers.map(({ id }) => id);
  assert(
    new Set([self, ...ids]).size === ids.length + 1,
    'peers differ from each other and from us',
  );
  const folders = peers.flatMap(({ folderId }) => folderId ?? []);
  assert([...ids, ...folders].every(isId), 'ids can travel');
}
