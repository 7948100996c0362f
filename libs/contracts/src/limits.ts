/** Every size and depth that Pawl accepts. Bytes are UTF-8 bytes of canonical JSON unless said. */
export const LIMITS = {
  /** Nested containers in a document or schema; the outermost object is depth 1. */
  jsonDepth: 64,
  /** Nested containers in a message: a document inside a variant, a snapshot and a push, and room. */
  messageDepth: 72,
  /** An effective document, and so a document: fits a default NATS server's 1 MiB with headers. */
  effectiveBytes: 960 * 1024,
  /** A schema; real ones reach 456 KB. */
  schemaBytes: 1024 * 1024,
  /** A request body as sent: white space included. */
  requestBytes: 2 * 1024 * 1024,
  /** A content up to this travels inside its snapshot. */
  inlineBytes: 8 * 1024,
  /** A heartbeat or an ack as sent; a larger one is dropped. Below a NATS server's default of 1 MiB. */
  trafficBytes: 512 * 1024,
  /** Problems list at most this many errors. */
  errors: 100,
  labels: 16,
  labelBytes: 128,
  consumerIdLength: 128,
  idempotencyKeyLength: 128,
  messageLength: 1024,
  /** Workloads that a release may hold: every snapshot of it names them. */
  heldWorkloads: 100,
  heldReasonLength: 256,
  actorLength: 128,
  pageDefault: 100,
  pageMax: 1000,
} as const;
