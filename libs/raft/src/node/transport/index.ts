export type { NodeIdentity } from './handshake.js';
export type { PlainMessage } from './message-codec.js';
export { PeerTransport } from './peer-transport.js';
export { DEFAULT_TRANSPORT_LIMITS } from './transport-options.js';
export type {
  PeerAddress,
  PeerTls,
  SnapshotSource,
  TransportEvents,
  TransportLimits,
  TransportOptions,
} from './transport-options.js';
