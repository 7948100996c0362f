import { expect } from 'vitest';
import type { MetadataStore, MetadataWatch, TxnResult } from '../metadata-store.port.js';
import { NO_LEASE, prefixRange } from '../state/index.js';
import type {
  DeleteOperation,
  KeyRange,
  KeyValue,
  LeaseId,
  Operation,
  PutOperation,
  RangeContent,
  RangeOperation,
  RangeRequest,
  Revision,
  RevisionEvents,
  Txn,
} from '../state/index.js';
import { bytesToText, textToBytes } from '../text.js';

/**
 * One test's part of a store: keys below a prefix of its own, and revisions counted from where the
 * test began. What it reads and is told it gives back without the prefix, as text.
 */
export class Scene {
  constructor(
    readonly store: MetadataStore,
    private readonly prefix: string,
    /** Newest revision before the test. */
    readonly start: Revision,
  ) {}

  key(name: string): Uint8Array {
    return textToBytes(`${this.prefix}${name}`);
  }

  /** All keys of the test that begin so. */
  keys(prefix = ''): Required<KeyRange> {
    return prefixRange(this.key(prefix));
  }

  /** Keys from one up to another of the test. */
  between(from: string, until: string): Required<KeyRange> {
    return { key: this.key(from), rangeEnd: this.key(until) };
  }

  put(
    name: string,
    value = '',
    { lease = NO_LEASE, ...options }: Partial<Omit<PutOperation, 'kind' | 'key' | 'value'>> = {},
  ): PutOperation {
    return { kind: 'put', key: this.key(name), value: textToBytes(value), lease, ...options };
  }

  get(name: string): RangeOperation {
    return { kind: 'range', key: this.key(name) };
  }

  remove(name: string): DeleteOperation {
    return { kind: 'delete', key: this.key(name) };
  }

  write(...success: Operation[]): Promise<TxnResult> {
    return this.store.txn({ compare: [], success, failure: [] });
  }

  /** Writes that are taken. */
  async done(...success: Operation[]): Promise<TxnResult & { readonly ok: true }> {
    return this.taken({ compare: [], success, failure: [] });
  }

  async taken(txn: Txn): Promise<TxnResult & { readonly ok: true }> {
    const result = await this.store.txn(txn);
    if (!result.ok) throw new Error(`refused: ${result.refusal}`);
    return result;
  }

  async read(request: RangeRequest): Promise<RangeContent> {
    const result = await this.store.range(request);
    if (!result.ok) throw new Error(`refused: ${result.refusal}`);
    return result;
  }

  /** `key=value` of what a request finds, in its order. */
  async texts(request: RangeRequest): Promise<string[]> {
    const { kvs } = await this.read(request);
    return kvs.map((kv) => this.text(kv));
  }

  text({ key, value }: KeyValue): string {
    return `${this.name(key)}=${bytesToText(value)}`;
  }

  name(key: Uint8Array): string {
    return bytesToText(key).slice(this.prefix.length);
  }

  /** How many revisions after the start of the test. */
  since(revision: Revision): number {
    return revision - this.start;
  }

  async lease(ttlMs = 60_000): Promise<LeaseId> {
    const granted = await this.store.grantLease(ttlMs);
    if (!granted.ok) throw new Error(`refused: ${granted.refusal}`);
    return granted.id;
  }

  /** The newest revision, counted from the start of the test. */
  async revision(): Promise<number> {
    const { revision } = await this.store.status();
    return this.since(revision);
  }

  /**
   * The next revisions that a watch tells, as `+revision kind key=value, …`, with `(was value)` where
   * something was there before; `end` when it ends.
   */
  async told(watch: MetadataWatch, revisions: number): Promise<string[]> {
    const lines: string[] = [];
    const reader = watch[Symbol.asyncIterator]();
    for (let left = revisions; left > 0; left -= 1) {
      const next = await reader.next();
      if (next.done === true) return [...lines, 'end'];
      lines.push(this.line(next.value));
    }
    return lines;
  }

  line({ revision, events }: RevisionEvents): string {
    const changes = events.map(({ kind, kv, previous }) => {
      expect(kv.modRevision).toBe(revision);
      const was = previous === null ? '' : ` (was ${bytesToText(previous.value)})`;
      return `${kind} ${this.text(kv)}${was}`;
    });
    return `+${this.since(revision)} ${changes.join(', ')}`;
  }
}

/** Matches bytes of a text, of whatever class the store's bytes are. */
export function bytes(text: string): unknown {
  return expect.toSatisfy((value: Uint8Array) => bytesToText(value) === text);
}

/** Gives each test its scene. */
export type OpenScene = () => Promise<Scene>;
