import type { StoredHistoryEntry } from '../sharding/truth-store.port.js';

/** Who sends to an endpoint. */
export interface WebhookLease {
  readonly endpoint: string;
  /** The node. */
  readonly holder: string;
  /** For so long by the store's clock nobody else gets it, milliseconds. */
  readonly leaseMs: number;
}

export interface WebhookCursor {
  /** Sequence in the history up to which everything was sent, or given up. */
  readonly after: string;
  /** How often the next one was tried without success. */
  readonly failures: number;
  /** When this was taken, wall time of the store in milliseconds: a node's own clock may be wrong. */
  readonly takenMs: number;
}

export interface WebhookPage {
  /** Release transitions in the order of their sequence, which is for each address that of its commits. */
  readonly entries: readonly StoredHistoryEntry[];
  /** Sequence up to which there is nothing besides `entries` now, and nothing will appear. */
  readonly upTo: string;
}

/**
 * What is to be sent: the history itself, with a place in it for each endpoint. A commit writes nothing for
 * webhooks, so that whatever is committed is sent, whoever dies when.
 */
export interface WebhookOutbox {
  /** Endpoints that are not known yet begin with what comes after now. */
  begin(endpoints: readonly string[]): Promise<void>;
  /** `undefined`: somebody else sends there, or it is to be tried later. */
  take(lease: WebhookLease): Promise<WebhookCursor | undefined>;
  /** `undefined`: transactions are under way too long that may commit something before the newest. */
  read(after: string, limit: number): Promise<WebhookPage | undefined>;
  /** Moves the place and keeps the lease; `false`: the lease is another's, and nothing was changed. */
  advance(lease: WebhookLease, from: string, to: string): Promise<boolean>;
  /** Counts a failure, and lets go until so many milliseconds have passed. */
  retryLater(lease: WebhookLease, waitMs: number): Promise<void>;
  giveBack(lease: WebhookLease): Promise<void>;
}
