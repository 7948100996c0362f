import type { SnapshotMessage } from '../core/index.js';
import type {
  NodeIdentity,
  PeerAddress,
  PlainMessage,
  SnapshotSource,
  TransportEvents,
} from './transport/index.js';

/** Carries what the nodes of a cluster say to each other; `PeerTransport` is one. */
export interface LogTransport {
  /** Where the others connect; null when nothing listens. */
  readonly address: { readonly host: string; readonly port: number } | null;
  /** Takes the message along or loses it; never waits. */
  send(message: PlainMessage): void;
  /** Tells by `onSnapshotEnded` how it went. */
  sendSnapshot(message: SnapshotMessage, openState: () => SnapshotSource): void;
  /** Rejects with a `RequestError`. */
  request(to: string, body: Uint8Array, deadlineMs: number): Promise<Uint8Array>;
  /** Asks whoever of the cluster listens there; rejects likewise. */
  ask(at: PeerAddress, body: Uint8Array, deadlineMs: number): Promise<Uint8Array>;
  setPeers(peers: readonly PeerAddress[]): void;
  /** Resolves once nothing is open any more; no event comes after the call. */
  close(): Promise<void>;
}

export type StartTransport = (self: NodeIdentity, events: TransportEvents) => Promise<LogTransport>;
