import type { Clock } from '@pawl/kernel';
import type { HistoryEntry, StoredHistoryEntry } from '../sharding/truth-store.port.js';
import type {
  WebhookCursor,
  WebhookLease,
  WebhookOutbox,
  WebhookPage,
} from '../webhooks/webhook-outbox.port.js';

interface Place {
  after: string;
  failures: number;
  notBeforeMs: number;
  holder: string | null;
  heldUntilMs: number;
}

/** A history in memory, and places in it. */
export class FakeWebhookOutbox implements WebhookOutbox {
  readonly #entries: StoredHistoryEntry[] = [];
  readonly #places = new Map<string, Place>();
  #next = 1;
  /** A transaction is under way that may commit something before what is newest. */
  unsettled = false;

  constructor(private readonly clock: Clock) {}

  append(entry: HistoryEntry): StoredHistoryEntry {
    const stored = { ...entry, sequence: String(this.#next) };
    this.#next += 1;
    this.#entries.push(stored);
    return stored;
  }

  /** The history ends after so many entries, as in an older copy of it. */
  putBack(entries: number): void {
    this.#entries.splice(entries);
    this.#next = entries + 1;
  }

  begin(endpoints: readonly string[]): Promise<void> {
    for (const endpoint of endpoints) {
      if (this.#places.has(endpoint)) continue;
      const place = { after: this.#newest, failures: 0, notBeforeMs: 0 };
      this.#places.set(endpoint, { ...place, holder: null, heldUntilMs: 0 });
    }
    return Promise.resolve();
  }

  take({ endpoint, holder, leaseMs }: WebhookLease): Promise<WebhookCursor | undefined> {
    const place = this.#places.get(endpoint);
    const nowMs = this.clock.monotonicMs();
    if (place === undefined || place.notBeforeMs > nowMs) return Promise.resolve(undefined);
    if (place.holder !== null && place.holder !== holder && place.heldUntilMs > nowMs) {
      return Promise.resolve(undefined);
    }
    Object.assign(place, { holder, heldUntilMs: nowMs + leaseMs });
    const takenMs = this.clock.wallMs();
    return Promise.resolve({ after: place.after, failures: place.failures, takenMs });
  }

  read(after: string, limit: number): Promise<WebhookPage | undefined> {
    const upTo = this.#newest;
    if (Number(upTo) <= Number(after)) return Promise.resolve({ entries: [], upTo });
    if (this.unsettled) return Promise.resolve(undefined);
    const releases = this.#entries.filter(
      ({ sequence, kind }) => Number(sequence) > Number(after) && kind === 'release',
    );
    const entries = releases.slice(0, limit);
    const last = entries.length < limit ? undefined : entries.at(-1);
    return Promise.resolve({ entries, upTo: last?.sequence ?? upTo });
  }

  advance({ endpoint, holder, leaseMs }: WebhookLease, from: string, to: string): Promise<boolean> {
    const place = this.#held(endpoint, holder);
    if (place?.after !== from) return Promise.resolve(false);
    const heldUntilMs = this.clock.monotonicMs() + leaseMs;
    Object.assign(place, { after: to, failures: 0, notBeforeMs: 0, heldUntilMs });
    return Promise.resolve(true);
  }

  retryLater({ endpoint, holder }: WebhookLease, waitMs: number): Promise<void> {
    const place = this.#held(endpoint, holder);
    if (place === undefined) return Promise.resolve();
    const notBeforeMs = this.clock.monotonicMs() + waitMs;
    Object.assign(place, { failures: place.failures + 1, notBeforeMs, holder: null });
    return Promise.resolve();
  }

  giveBack({ endpoint, holder }: WebhookLease): Promise<void> {
    const place = this.#held(endpoint, holder);
    if (place !== undefined) place.holder = null;
    return Promise.resolve();
  }

  get #newest(): string {
    return this.#entries.at(-1)?.sequence ?? '0';
  }

  #held(endpoint: string, holder: string): Place | undefined {
    const place = this.#places.get(endpoint);
    return place?.holder === holder ? place : undefined;
  }
}
