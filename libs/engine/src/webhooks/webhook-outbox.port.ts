import type { AddressText } from '@pawl/contracts';
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
  /** Sequence in the history up to which everything was sent, set aside or given up. */
  readonly after: string;
  /** How often in a row the endpoint did not take what came next. */
  readonly failures: number;
}

/** A line of history, and for how long it has been written by the store's clock: a node's may be wrong. */
export interface OutboxEntry {
  readonly entry: StoredHistoryEntry;
  readonly ageMs: number;
}

export interface WebhookPage {
  /** Release transitions in the order of their sequence, which is for each address that of its commits. */
  readonly entries: readonly OutboxEntry[];
  /** Sequence up to which there is nothing besides `entries` now, and nothing will appear. */
  readonly upTo: string;
}

/** An address of which an event was not taken: what follows it there waits, and nothing else. */
export interface SetAside {
  readonly address: AddressText;
  /** Sequence in the history from which on nothing of this address was sent. */
  readonly from: string;
  /** How often the next one of it was not taken. */
  readonly failures: number;
  /** Why, the last time. */
  readonly reason: string;
  /** Until it is tried again, milliseconds by the store's clock; 0: now. */
  readonly dueInMs: number;
}

/** How an endpoint does, for people. */
export interface WebhookState {
  readonly endpoint: string;
  /** For how long it has taken nothing, milliseconds by the store's clock. */
  readonly failingForMs?: number;
  /** How often in a row since then. */
  readonly failures: number;
  /** Why, the last time. */
  readonly reason?: string;
  /** How long ago it answered that it is gone, milliseconds: nothing is sent any more. */
  readonly goneForMs?: number;
  /** Until it is tried again after a failure, milliseconds; 0: now. */
  readonly retryInMs?: number;
  /** Addresses of which an event was not taken. */
  readonly setAside: number;
  /** Until the first of them is tried again, milliseconds; 0: now. */
  readonly setAsideRetryInMs?: number;
}

/** What an endpoint was not sent yet. */
export interface WebhookBacklog {
  readonly endpoint: string;
  /** No more are counted than were asked for. */
  readonly waiting: number;
  /** For how long the oldest has been written, milliseconds by the store's clock. */
  readonly oldestMs?: number;
}

/**
 * What is to be sent: the history itself, with a place in it for each endpoint. A commit writes nothing for
 * webhooks, so that whatever is committed is sent, whoever dies when. What is written under a lease answers
 * `false`, and changes nothing, when the lease is another's; else it keeps the lease.
 */
export interface WebhookOutbox {
  /**
   * Endpoints that are not known yet begin with what comes after now; those that were gone are tried
   * again.
   */
  begin(endpoints: readonly string[]): Promise<void>;
  /** `undefined`: somebody else sends there, it is gone, or it is to be tried later. */
  take(lease: WebhookLease): Promise<WebhookCursor | undefined>;
  /** `undefined`: transactions are under way too long that may commit something before the newest. */
  read(after: string, limit: number): Promise<WebhookPage | undefined>;
  /** The next of one address: its first release transition of these sequences, both included. */
  readNext(address: AddressText, from: string, upTo: string): Promise<OutboxEntry | undefined>;
  /** Moves the place. */
  advance(lease: WebhookLease, from: string, to: string): Promise<boolean>;
  /** The endpoint has taken something: it fails no longer. */
  taken(lease: WebhookLease): Promise<boolean>;
  /** Counts a failure of the endpoint, and lets go until so many milliseconds have passed. */
  retryLater(lease: WebhookLease, reason: string, waitMs: number): Promise<void>;
  /** Nothing is sent there any more. */
  gone(lease: WebhookLease, reason: string): Promise<void>;
  /** What was set aside at an endpoint, the first that is due first. */
  readSetAside(endpoint: string): Promise<readonly SetAside[]>;
  /** Sets an address aside, or says how it does since. */
  setAside(lease: WebhookLease, one: SetAside): Promise<boolean>;
  /** Everything of this address is sent, or given up. */
  takeBack(lease: WebhookLease, address: AddressText): Promise<boolean>;
  giveBack(lease: WebhookLease): Promise<void>;
  /** Those of these endpoints that are known, in order of their names. */
  readStates(endpoints: readonly string[]): Promise<readonly WebhookState[]>;
  /** The same, counted up to `limit`. */
  readBacklogs(endpoints: readonly string[], limit: number): Promise<readonly WebhookBacklog[]>;
  /**
   * An endpoint is no longer gone, and it and what was set aside are to be tried now, whoever holds the
   * lease. `false`: it is not known.
   */
  retryNow(endpoint: string): Promise<boolean>;
}
