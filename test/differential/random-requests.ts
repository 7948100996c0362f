import type { Rng } from '@pawl/kernel';
import { contains, prefixRange, toByteKey, toInterval } from '@pawl/metadata/state';
import type {
  Compare,
  CompareOperator,
  KeyRange,
  LeaseId,
  Operation,
  PutOperation,
  RangeRequest,
  SortOrder,
  SortTarget,
  Txn,
} from '@pawl/metadata/state';

/** What requests are made with a view to: where the history of a store is kept from and ends. */
export interface History {
  readonly revision: number;
  readonly compactRevision: number;
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** Few, so that they meet; prefixes of each other, and with the bytes at both ends. */
const KEYS = [
  'a',
  'a/1',
  'a/2',
  'a/2/x',
  'a\0',
  'a/\xff',
  'b',
  'b/1',
  'c',
  '\0',
  '\xff',
  '\xff\xff',
].map(bytes);
const VALUES = ['', 'v', 'w', '1', '22', '\0', '\xff\0'].map(bytes);
const EVERYTHING = Uint8Array.of(0);
const OPERATORS: readonly CompareOperator[] = ['=', '!=', '<', '>'];
const ORDERS: readonly SortOrder[] = ['none', 'ascend', 'descend'];
const TARGETS: readonly SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];
const DEEPEST = 3;

/** Requests by chance, of which most are taken and some are refused, for every reason there is. */
export class RandomRequests {
  /**
   * Whether the transaction under way has puts that keep what is there. With deletions from a key on
   * beside them, which its check of duplicate keys overlooks, etcd crashes; we refuse those.
   */
  #keeping = false;

  constructor(private readonly rng: Rng) {}

  chance(percent: number): boolean {
    return this.rng.below(100) < percent;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.rng.below(items.length)]!;
  }

  times<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.rng.below(most + 1) }, make);
  }

  /** Ids that both stores are told, so that they have the same. */
  lease(): LeaseId {
    return BigInt(this.chance(5) ? -1 - this.rng.below(3) : 1 + this.rng.below(8));
  }

  ttlMs(): number {
    if (this.chance(10)) return this.pick([0, -1000, 9_000_000_000_000, 9_000_000_001_000]);
    return 1000 * (1_000 + this.rng.below(1_000));
  }

  /** Mostly one that is kept; also a compacted and a future one. */
  revision({ revision, compactRevision }: History): number {
    const first = Math.max(1, compactRevision - 1);
    return first + this.rng.below(revision - first + 2);
  }

  keyRange(): KeyRange {
    const key = this.chance(1) ? bytes('') : this.pick(KEYS);
    switch (this.rng.below(8)) {
      case 0:
        return prefixRange(key);
      case 1:
        return { key, rangeEnd: EVERYTHING };
      case 2:
        return { key: EVERYTHING, rangeEnd: EVERYTHING };
      case 3:
        return { key, rangeEnd: this.pick(KEYS) };
      default:
        return { key };
    }
  }

  /** With keys in it, of those that are written. */
  watched(): KeyRange {
    for (;;) {
      const range = this.keyRange();
      const interval = toInterval(range);
      if (KEYS.some((key) => contains(interval, toByteKey(key)))) return range;
    }
  }

  range(history: History): RangeRequest {
    const bound = () => (this.chance(12) ? this.revision(history) : 0);
    return {
      ...this.keyRange(),
      revision: this.chance(30) ? this.revision(history) : 0,
      limit: this.chance(30) ? this.rng.below(5) : 0,
      sortOrder: this.chance(40) ? this.pick(ORDERS) : 'none',
      sortTarget: this.chance(40) ? this.pick(TARGETS) : 'key',
      keysOnly: this.chance(10),
      countOnly: this.chance(10),
      minModRevision: bound(),
      maxModRevision: bound(),
      minCreateRevision: bound(),
      maxCreateRevision: bound(),
    };
  }

  put(): PutOperation {
    const ignoreValue = this.#keeping && this.chance(15);
    const ignoreLease = this.#keeping && this.chance(15);
    return {
      kind: 'put',
      key: this.chance(1) ? bytes('') : this.pick(KEYS),
      value: ignoreValue && !this.chance(10) ? bytes('') : this.pick(VALUES),
      lease: (ignoreLease && !this.chance(10)) || this.chance(70) ? 0n : this.lease(),
      ignoreValue,
      ignoreLease,
      prevKv: this.chance(50),
    };
  }

  /** Writes every key. */
  everything(): Txn {
    const value = this.pick(VALUES);
    const success = KEYS.map((key): PutOperation => ({ kind: 'put', key, value, lease: 0n }));
    return { compare: [], success, failure: [] };
  }

  /** Deletes every key. */
  nothing(): Txn {
    const success = KEYS.map((key): Operation => ({ kind: 'delete', key }));
    return { compare: [], success, failure: [] };
  }

  txn(history: History, depth = 1): Txn {
    if (depth === 1) this.#keeping = this.chance(50);
    const operations = () => this.times(depth === 1 ? 4 : 2, () => this.operation(history, depth));
    return {
      compare: this.times(2, () => this.compare(history)),
      success: operations(),
      failure: operations(),
    };
  }

  private operation(history: History, depth: number): Operation {
    const kind = this.rng.below(100);
    if (kind < 45) return this.put();
    if (kind < 60) return { kind: 'delete', ...this.deletion(), prevKv: this.chance(50) };
    if (kind < 85 || depth === DEEPEST) {
      // One that cannot be read refuses all of it.
      const { revision = 0, ...request } = this.range(history);
      return { kind: 'range', ...request, revision: this.chance(50) ? revision : 0 };
    }
    return { kind: 'txn', ...this.txn(history, depth + 1) };
  }

  private deletion(): KeyRange {
    for (;;) {
      const range = this.keyRange();
      const open = range.rangeEnd?.length === 1 && range.rangeEnd[0] === 0;
      if (!open || !this.#keeping) return range;
    }
  }

  private compare(history: History): Compare {
    const common = { ...this.keyRange(), operator: this.pick(OPERATORS) };
    switch (this.rng.below(5)) {
      case 0:
        return { ...common, target: 'value', value: this.pick(VALUES) };
      case 1:
        return { ...common, target: 'lease', value: this.chance(50) ? 0n : this.lease() };
      case 2:
        return { ...common, target: 'version', value: this.rng.below(4) };
      case 3:
        return { ...common, target: 'create', value: this.number(history) };
      default:
        return { ...common, target: 'mod', value: this.number(history) };
    }
  }

  private number(history: History): number {
    return this.chance(40) ? 0 : this.revision(history);
  }
}
