import type { AddressText } from '@pawl/contracts';
import type { Clock } from '@pawl/kernel';
import type { HistoryEntry, StoredHistoryEntry } from '../sharding/truth-store.port.js';
import type {
  OutboxEntry,
  SetAside,
  WebhookBacklog,
  WebhookCursor,
  WebhookLease,
  WebhookOutbox,
  WebhookPage,
  WebhookState,
} from '../webhooks/webhook-outbox.port.js';

interface Place {
  after: string;
  failures: number;
  notBeforeMs: number;
  holder: string | null;
  heldUntilMs: number;
  failingSinceMs: number | null;
  goneAtMs: number | null;
  reason: string | null;
  readonly aside: Map<AddressText, { readonly one: SetAside; readonly dueAtMs: number }>;
}

/** A history in memory, and places in it. */
export class FakeWebhookOutbox implements WebhookOutbox {
  readonly #entries: { readonly entry: StoredHistoryEntry; readonly writtenMs: number }[] = [];
  readonly #places = new Map<string, Place>();
  #next = 1;
  /** A transaction is under way that may commit something before what is newest. */
  unsettled = false;

  constructor(private readonly clock: Clock) {}

  append(entry: HistoryEntry): StoredHistoryEntry {
    const stored = { ...entry, sequence: String(this.#next) };
    this.#next += 1;
    this.#entries.push({ entry: stored, writtenMs: this.clock.monotonicMs() });
    return stored;
  }

  /** The history ends after so many entries, as in an older copy of it. */
  putBack(entries: number): void {
    this.#entries.splice(entries);
    this.#next = entries + 1;
  }

  begin(endpoints: readonly string[]): Promise<void> {
    for (const endpoint of endpoints) {
      const known = this.#places.get(endpoint);
      if (known === undefined) this.#places.set(endpoint, newPlace(this.#newest));
      else takeUp(known);
    }
    return Promise.resolve();
  }

  take({ endpoint, holder, leaseMs }: WebhookLease): Promise<WebhookCursor | undefined> {
    const place = this.#places.get(endpoint);
    const nowMs = this.clock.monotonicMs();
    if (place === undefined || place.notBeforeMs > nowMs || place.goneAtMs !== null) {
      return Promise.resolve(undefined);
    }
    if (place.holder !== null && place.holder !== holder && place.heldUntilMs > nowMs) {
      return Promise.resolve(undefined);
    }
    Object.assign(place, { holder, heldUntilMs: nowMs + leaseMs });
    return Promise.resolve({ after: place.after, failures: place.failures });
  }

  read(after: string, limit: number): Promise<WebhookPage | undefined> {
    const upTo = this.#newest;
    if (Number(upTo) <= Number(after)) return Promise.resolve({ entries: [], upTo });
    if (this.unsettled) return Promise.resolve(undefined);
    const entries = this.#releases()
      .filter(({ entry }) => Number(entry.sequence) > Number(after))
      .slice(0, limit);
    const last = entries.length < limit ? undefined : entries.at(-1);
    return Promise.resolve({ entries, upTo: last?.entry.sequence ?? upTo });
  }

  readNext(address: AddressText, from: string, upTo: string): Promise<OutboxEntry | undefined> {
    const found = this.#releases().find(
      ({ entry }) =>
        entry.address === address &&
        Number(entry.sequence) >= Number(from) &&
        Number(entry.sequence) <= Number(upTo),
    );
    return Promise.resolve(found);
  }

  advance(lease: WebhookLease, from: string, to: string): Promise<boolean> {
    const place = this.#held(lease);
    if (place?.after !== from) return Promise.resolve(false);
    return this.#write(lease, () => (place.after = to));
  }

  taken(lease: WebhookLease): Promise<boolean> {
    return this.#write(lease, (place) => {
      Object.assign(place, { failures: 0, failingSinceMs: null, notBeforeMs: 0, reason: null });
    });
  }

  async retryLater(lease: WebhookLease, reason: string, waitMs: number): Promise<void> {
    await this.#write(lease, (place) => {
      const nowMs = this.clock.monotonicMs();
      const failingSinceMs = place.failingSinceMs ?? nowMs;
      const failures = place.failures + 1;
      const notBeforeMs = nowMs + waitMs;
      Object.assign(place, { failures, notBeforeMs, failingSinceMs, reason, holder: null });
    });
  }

  async gone(lease: WebhookLease, reason: string): Promise<void> {
    await this.#write(lease, (place) => {
      Object.assign(place, { goneAtMs: this.clock.monotonicMs(), reason, holder: null });
    });
  }

  readSetAside(endpoint: string): Promise<readonly SetAside[]> {
    const nowMs = this.clock.monotonicMs();
    const aside = [...(this.#places.get(endpoint)?.aside.values() ?? [])];
    aside.sort((a, b) => a.dueAtMs - b.dueAtMs);
    return Promise.resolve(
      aside.map(({ one, dueAtMs }) => ({ ...one, dueInMs: Math.max(0, dueAtMs - nowMs) })),
    );
  }

  setAside(lease: WebhookLease, one: SetAside): Promise<boolean> {
    const dueAtMs = this.clock.monotonicMs() + one.dueInMs;
    return this.#write(lease, ({ aside }) => aside.set(one.address, { one, dueAtMs }));
  }

  takeBack(lease: WebhookLease, address: AddressText): Promise<boolean> {
    return this.#write(lease, ({ aside }) => aside.delete(address));
  }

  async giveBack(lease: WebhookLease): Promise<void> {
    await this.#write(lease, (place) => (place.holder = null));
  }

  readStates(endpoints: readonly string[]): Promise<readonly WebhookState[]> {
    const states = endpoints.toSorted().flatMap((endpoint) => {
      const place = this.#places.get(endpoint);
      const nowMs = this.clock.monotonicMs();
      return place === undefined ? [] : [stateOf(endpoint, place, nowMs)];
    });
    return Promise.resolve(states);
  }

  readBacklogs(endpoints: readonly string[], limit: number): Promise<readonly WebhookBacklog[]> {
    const backlogs = endpoints.toSorted().flatMap((endpoint) => {
      const place = this.#places.get(endpoint);
      if (place === undefined) return [];
      const ages = this.#releases()
        .filter(({ entry }) => isWaiting(entry, place))
        .map(({ ageMs }) => ageMs);
      const oldest = ages.length === 0 ? {} : { oldestMs: Math.max(...ages) };
      return [{ endpoint, waiting: Math.min(ages.length, limit), ...oldest }];
    });
    return Promise.resolve(backlogs);
  }

  retryNow(endpoint: string): Promise<boolean> {
    const place = this.#places.get(endpoint);
    if (place === undefined) return Promise.resolve(false);
    const nowMs = this.clock.monotonicMs();
    takeUp(place);
    place.notBeforeMs = 0;
    for (const [address, { one, dueAtMs }] of place.aside) {
      place.aside.set(address, { one, dueAtMs: Math.min(dueAtMs, nowMs) });
    }
    return Promise.resolve(true);
  }

  get #newest(): string {
    return this.#entries.at(-1)?.entry.sequence ?? '0';
  }

  #releases(): OutboxEntry[] {
    const nowMs = this.clock.monotonicMs();
    return this.#entries
      .filter(({ entry }) => entry.kind === 'release')
      .map(({ entry, writtenMs }) => ({ entry, ageMs: nowMs - writtenMs }));
  }

  #write(lease: WebhookLease, change: (place: Place) => unknown): Promise<boolean> {
    const place = this.#held(lease);
    if (place === undefined) return Promise.resolve(false);
    place.heldUntilMs = this.clock.monotonicMs() + lease.leaseMs;
    change(place);
    return Promise.resolve(true);
  }

  #held({ endpoint, holder }: WebhookLease): Place | undefined {
    const place = this.#places.get(endpoint);
    return place?.holder === holder ? place : undefined;
  }
}

function takeUp(place: Place): void {
  if (place.goneAtMs !== null) Object.assign(place, { goneAtMs: null, reason: null });
}

function isWaiting({ address, sequence }: StoredHistoryEntry, place: Place): boolean {
  const from = place.aside.get(address)?.one.from ?? Infinity;
  return Number(sequence) > Number(place.after) || Number(sequence) >= Number(from);
}

function newPlace(after: string): Place {
  return {
    ...{ after, failures: 0, notBeforeMs: 0, holder: null, heldUntilMs: 0 },
    ...{ failingSinceMs: null, goneAtMs: null, reason: null, aside: new Map() },
  };
}

function stateOf(endpoint: string, place: Place, nowMs: number): WebhookState {
  const { failingSinceMs, goneAtMs, failures, aside, notBeforeMs } = place;
  const dueAtMs = Math.min(...[...aside.values()].map((one) => one.dueAtMs));
  const reason = place.reason ?? [...aside.values()].at(-1)?.one.reason;
  return {
    ...{ endpoint, failures, setAside: aside.size },
    ...(aside.size === 0 ? {} : { setAsideRetryInMs: Math.max(0, dueAtMs - nowMs) }),
    ...(notBeforeMs === 0 ? {} : { retryInMs: Math.max(0, notBeforeMs - nowMs) }),
    ...(failingSinceMs === null ? {} : { failingForMs: nowMs - failingSinceMs }),
    ...(goneAtMs === null ? {} : { goneForMs: nowMs - goneAtMs }),
    ...(reason === undefined ? {} : { reason }),
  };
}
