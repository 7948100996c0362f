import type { ClientDuplexStream } from '@grpc/grpc-js';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  HistoryEvent,
  HistoryRange,
  HistoryRevision,
  WatchedEvent,
  WatchMessage,
  WatchRecord,
} from '@pawl/metadata/testing/history';
import { Connection } from './connection.js';
import { fromWireKv, toWireRange } from './wire-text.js';
import type { WireEvent, WireWatchResponse } from './wire.js';

export interface WatchWish {
  readonly name: string;
  readonly range: HistoryRange;
  /** First revision; left out: what comes after its creation. */
  readonly from?: number;
  readonly without?: readonly HistoryEvent['kind'][];
  readonly prevKv?: boolean;
  /** Large revisions may come in several messages. */
  readonly fragment?: boolean;
}

/** All keys there are. */
export const ALL_KEYS: HistoryRange = { key: '\0', rangeEnd: '\0' };

const RETRY_MS = 100;
const FILTERS = { put: 'Noput', delete: 'Nodelete' } as const;

type MutableRecord = { -readonly [K in keyof WatchRecord]: WatchRecord[K] } & {
  messages: WatchMessage[];
};

/** One watch through all its streams. */
class Watch {
  readonly records: MutableRecord[] = [];
  private record: MutableRecord | null = null;
  /** The next revision that it waits for; null: it begins with its creation. */
  next: number | null;
  /** The highest revision that it was told of. */
  told = 0;

  constructor(
    readonly wish: WatchWish,
    readonly id: number,
    private readonly onEvent?: (event: WatchedEvent) => void,
  ) {
    this.next = wish.from ?? null;
  }

  request(): object {
    const { range, without = [], prevKv, fragment } = this.wish;
    return {
      create_request: {
        ...toWireRange(range),
        watch_id: this.id,
        start_revision: this.next ?? 0,
        filters: without.map((kind) => FILTERS[kind]),
        prev_kv: prevKv === true,
        fragment: fragment === true,
      },
    };
  }

  take(response: WireWatchResponse): void {
    const revision = Number(response.header.revision);
    if (response.created && response.canceled) {
      throw new Error(`the watch ${this.wish.name} was refused: ${response.cancel_reason}`);
    }
    if (response.created) {
      this.begin(this.next ?? revision + 1);
    } else if (response.canceled) {
      const compactRevision = Number(response.compact_revision);
      this.record?.messages.push({ kind: 'compacted', compactRevision });
      this.record = null;
      this.next = Math.max(compactRevision, this.next ?? 0);
    } else if (response.events.length > 0) {
      this.takeEvents(response);
    } else {
      this.record?.messages.push({ kind: 'progress', revision });
      this.next = Math.max(this.next ?? 0, revision + 1);
    }
  }

  private begin(from: number): void {
    const { name, range, without, prevKv } = this.wish;
    this.record = {
      name: `${name}.${this.records.length}`,
      range,
      from,
      isResumed: this.records.length > 0,
      ...(without !== undefined && { without }),
      ...(prevKv !== undefined && { prevKv }),
      messages: [],
    };
    this.records.push(this.record);
    this.next = from;
  }

  private takeEvents({ events, fragment }: WireWatchResponse): void {
    const taken = events.map((event) => this.fromWireEvent(event));
    for (const event of taken) this.onEvent?.(event);
    this.record?.messages.push({ kind: 'events', events: taken, fragment });
    // What came without its rest comes again.
    if (fragment) return;
    const last = Number(events.at(-1)?.kv.mod_revision);
    this.told = Math.max(this.told, last);
    this.next = Math.max(this.next ?? 0, last + 1);
  }

  private fromWireEvent({ type, kv, prev_kv }: WireEvent): WatchedEvent {
    const event = {
      kind: type === 'Put' ? ('put' as const) : ('delete' as const),
      kv: fromWireKv(kv),
    };
    if (this.wish.prevKv !== true) {
      return prev_kv === null ? event : { ...event, previous: fromWireKv(prev_kv) };
    }
    return { ...event, previous: prev_kv === null ? null : fromWireKv(prev_kv) };
  }

  /** It was whole: it must have been told of everything up to `revision`. */
  endAt(revision: number): void {
    if (this.record !== null) this.record.upTo = revision;
  }
}

/**
 * Watches on one stream, which go on at the next node when it breaks, each from the revision after
 * the last it was told of. Records every message of each.
 */
export class WatchStream {
  private readonly watches: Watch[];
  private stream: ClientDuplexStream<unknown, unknown> | null = null;
  private stopped = false;
  private readonly running: Promise<void>;
  private readonly listeners = new Set<() => void>();

  /** `endpoints` are asked for each time anew; `onEvent` hears of each event when it comes, also when it comes again. */
  constructor(
    private readonly endpoints: () => readonly string[],
    wishes: readonly WatchWish[],
    onEvent?: (event: WatchedEvent) => void,
  ) {
    this.watches = wishes.map((wish, at) => new Watch(wish, at + 1, onEvent));
    this.running = this.run();
  }

  get records(): readonly WatchRecord[] {
    return this.watches.flatMap(({ records }) => records);
  }

  /** The revisions that the watch `name` was told of, each once. */
  revisionsOf(name: string): HistoryRevision[] {
    const revisions = new Map<number, HistoryEvent[]>();
    const watch = this.watches.find(({ wish }) => wish.name === name);
    for (const { messages } of watch?.records ?? []) {
      const seen = new Set(revisions.keys());
      for (const message of messages) {
        if (message.kind !== 'events') continue;
        for (const { kind, kv } of message.events) {
          if (seen.has(kv.modRevision)) continue;
          const events = revisions.get(kv.modRevision) ?? [];
          events.push({ kind, kv });
          revisions.set(kv.modRevision, events);
        }
      }
    }
    return [...revisions].map(([revision, events]) => ({ revision, events }));
  }

  /** The highest revision that the watch was told of. */
  told(name: string): number {
    return this.watches.find(({ wish }) => wish.name === name)?.told ?? 0;
  }

  /** Waits until every watch is past the revision that `last` names for it; false: too late. */
  async reached(last: (wish: WatchWish) => number, deadlineMs: number): Promise<boolean> {
    const isThere = () => this.watches.every(({ next, wish }) => (next ?? 0) > last(wish));
    const late = AbortSignal.timeout(deadlineMs);
    while (!isThere()) {
      if (late.aborted) return false;
      await new Promise<void>((resolve) => {
        const go = () => {
          this.listeners.delete(go);
          late.removeEventListener('abort', go);
          resolve();
        };
        this.listeners.add(go);
        late.addEventListener('abort', go);
      });
    }
    return true;
  }

  /** Everything up to `revision` must have come. */
  endAt(revision: number): void {
    for (const watch of this.watches) watch.endAt(revision);
  }

  /** Asks for a mark of progress on the stream as it is. */
  askProgress(): void {
    this.stream?.write({ progress_request: {} });
  }

  /** Does not read for a while, as a slow client does. */
  async nap(ms: number): Promise<void> {
    const { stream } = this;
    stream?.pause();
    await delay(ms);
    stream?.resume();
  }

  /** Breaks the stream; the watches go on with another. */
  hangUp(): void {
    this.stream?.cancel();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.stream?.cancel();
    await this.running;
  }

  private async run(): Promise<void> {
    for (let at = 0; !this.stopped; at += 1) {
      const endpoints = this.endpoints();
      const connection = new Connection(endpoints[at % endpoints.length] ?? '');
      try {
        await this.follow(connection);
      } finally {
        connection.close();
      }
      if (!this.stopped) await delay(RETRY_MS);
    }
  }

  /** Reads one stream to its end. */
  private follow(connection: Connection): Promise<void> {
    return new Promise((resolve) => {
      const stream = connection.open('Watch', 'watch');
      this.stream = stream;
      const end = () => {
        this.stream = null;
        resolve();
      };
      stream.on('data', (response: WireWatchResponse) => this.take(stream, response));
      stream.on('error', end);
      stream.on('end', () => stream.cancel());
      for (const watch of this.watches) stream.write(watch.request());
    });
  }

  private take(stream: ClientDuplexStream<unknown, unknown>, response: WireWatchResponse): void {
    if (this.stopped) return;
    const { watch_id } = response;
    const to = this.watches.filter(({ id }) => watch_id === '-1' || watch_id === `${id}`);
    for (const watch of to) watch.take(response);
    // Its number is used up on this stream: all go on with another.
    if (response.canceled) stream.cancel();
    for (const listener of [...this.listeners]) listener();
  }
}
