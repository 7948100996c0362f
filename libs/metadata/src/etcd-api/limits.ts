/** Bounds of what the coordination API takes on. */
export interface EtcdLimits {
  /** A message to the server; what the store takes of it is bounded by the store. */
  readonly requestBytes: number;
  /** Comparisons of a transaction, and operations of each of its branches, as etcd counts them. */
  readonly txnOperations: number;
  readonly connections: number;
  /** Calls and streams at once on one connection. */
  readonly streamsPerConnection: number;
  /** How long a new connection may take until it speaks HTTP/2, its handshake of TLS included. */
  readonly helloMs: number;
  /** How often clients are asked whether they are there, and how long they may take to answer. */
  readonly pingMs: number;
  readonly pongMs: number;
  /** Calls that are not streams at once, on all connections, whether their requests came or not. */
  readonly calls: number;
  /** Calls that wait for a lock or an election, or observe one; they are also calls. */
  readonly waits: number;
  /** What observers of elections did not take yet, on all connections. */
  readonly observedBytes: number;
  /** Calls that stream a snapshot, which are also calls. */
  readonly snapshots: number;
  /** How long the request of a call may take to come, and a client to end what was answered. */
  readonly requestMs: number;
  /** How long a client may take to take an answer, and each piece of a snapshot. */
  readonly answerMs: number;
  /** An answer that is not a stream's, as `answer-size.ts` counts. */
  readonly answerBytes: number;
  /** Answers together that were made and have not left, on all connections; small ones do not count. */
  readonly answersBytes: number;
  /** Streams of watches and of keep-alives, on all connections. */
  readonly streams: number;
  readonly watchesPerStream: number;
  readonly watches: number;
  /**
   * What one stream of watches may have outstanding: above it, its watches wait and keep only their
   * places. What one revision changed counts as a whole, so it may be exceeded by one of them.
   */
  readonly streamBufferBytes: number;
  /** A response with more is cut into fragments for watches that ask for it. */
  readonly fragmentBytes: number;
  /** Keep-alives of one stream that are under way. */
  readonly keepAlives: number;
  /** Leases are granted for at least so long, however short they are asked for. */
  readonly minLeaseSeconds: number;
  /** How often idle watches that ask for it are told how far they are. */
  readonly progressIntervalMs: number;
  /** How long streams that ask for a leader go on without one. */
  readonly leaderlessMs: number;
  /** How long closing waits for calls under way. */
  readonly closeMs: number;
}

const MiB = 1024 * 1024;

export const DEFAULT_ETCD_LIMITS: EtcdLimits = {
  /* etcd takes requests of 1.5 MiB and allows gRPC half a MiB on top. */
  requestBytes: 2 * MiB,
  txnOperations: 128,
  connections: 10_000,
  streamsPerConnection: 4096,
  helloMs: 10_000,
  pingMs: 60_000,
  pongMs: 20_000,
  calls: 8192,
  waits: 4096,
  observedBytes: 64 * MiB,
  snapshots: 16,
  requestMs: 10_000,
  answerMs: 60_000,
  /* Encoded in one turn of the event loop: some hundred milliseconds. */
  answerBytes: 32 * MiB,
  answersBytes: 256 * MiB,
  streams: 20_000,
  watchesPerStream: 50_000,
  watches: 200_000,
  streamBufferBytes: MiB / 2,
  fragmentBytes: 1.5 * MiB,
  keepAlives: 64,
  /* etcd's, which has it from its election time-out of a second. */
  minLeaseSeconds: 2,
  progressIntervalMs: 600_000,
  leaderlessMs: 3000,
  closeMs: 2000,
};
