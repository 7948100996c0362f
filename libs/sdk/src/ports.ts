import type { Address } from '@pawl/contracts';
import type { LastKnownGood, Restored } from './applier/last-known-good.js';
import type { PawlError } from './errors.js';

/**
 * `connecting`: the first attempt is under way; `up`: requests can be sent; `down`: the last attempt
 * failed or the connection broke, and it is being tried again; `closed`: for good.
 */
export type LinkState = 'connecting' | 'up' | 'down' | 'closed';

export interface LinkMessage {
  readonly data: Uint8Array;
  /** A header's value, `''` when it is not set. */
  header(name: string): string;
}

/** The way to the distribution, NATS in production. Reconnects for ever, with jitter. */
export interface Link {
  readonly state: LinkState;
  /** For messages to people: the servers, and why they are not reached as far as known; null when up. */
  readonly trouble: string | null;
  /** Calls back on every change, `up` also after each reconnect, until the returned function is called. */
  onState(listener: (state: LinkState) => void): () => void;
  /** Calls back on trouble that is not tied to one call. */
  onProblem(listener: (problem: PawlError) => void): void;
  /** Delivers messages of a subject; may be called while down and outlives reconnects. */
  subscribe(subject: string, onMessage: (data: Uint8Array) => void): () => void;
  /** Resolves when the server has seen everything sent before; rejects when it cannot. */
  flush(): Promise<void>;
  /** The last message of a subject in a stream, `undefined` if there is none; rejects when unreachable. */
  directGet(stream: string, subject: string): Promise<LinkMessage | undefined>;
  /** One request and its first reply; rejects when nobody answers. */
  request(subject: string, payload: string): Promise<Uint8Array>;
  /** Sends when up; says whether it was sent. */
  publish(subject: string, payload: string): boolean;
  close(): Promise<void>;
}

/** Keeps the last applied snapshot per address across restarts, a folder of files in production. */
export interface LastKnownGoodStore {
  /** What is to be started from at an address. Rejects with `cache-corrupt` when it cannot be trusted. */
  load(address: Address): Promise<Restored | undefined>;
  /**
   * The record is about to run, be it what was loaded. Resolves when it is durable; whole or not at
   * all. Rejects with a cache error.
   */
  save(record: LastKnownGood): Promise<void>;
  /** Waits for what is being saved and releases the folder. */
  close(): Promise<void>;
}
