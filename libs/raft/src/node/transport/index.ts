export { askAsStranger } from './ask-anybody.js';
export { askClusterId, NoClusterError } from './ask-cluster-id.js';
export type { AskOptions } from './ask-cluster-id.js';
export type { NodeIdentity } from './handshake.js';
export type { PlainMessage } from './message-codec.js';
export { RequestError } from './outgoing-requests.js';
export type { RequestOutcome } from './outgoing-requests.js';
export { overTcp, PeerTransport } from './peer-transport.js';
export type { TcpOptions } from './peer-transport.js';
export { DEFAULT_TRANSPORT_LIMITS } from './transport-options.js';
export type {
  ListenAddress,
  PeerAddress,
  PeerTls,
  SnapshotSource,
  TransportEvents,
  TransportLimits,
  TransportOptions,
} from './transport-options.js';
