import type { Rng } from '@pawl/kernel';
import type {
  HistoryAnswer,
  HistoryCompare,
  HistoryKv,
  HistoryOperation,
  HistoryOutcome,
  HistoryRequest,
} from '@pawl/metadata/testing/history';

/** How far back reads of old states go. */
const OLD_REVISIONS = 40;

interface TrafficWish {
  readonly client: string;
  readonly rng: Rng;
  /** In order; each begins with the prefix. */
  readonly keys: readonly string[];
  readonly prefix: string;
  /** Of the store when it begins. */
  readonly revision: number;
}

/** What one client asks for, by chance and by what it has seen. */
export class Traffic {
  private readonly seen = new Map<string, HistoryKv | null>();
  private readonly client: string;
  private readonly rng: Rng;
  private readonly keys: readonly string[];
  private readonly prefix: string;
  private revision: number;
  private written = 0;

  constructor({ client, rng, keys, prefix, revision }: TrafficWish) {
    this.client = client;
    this.rng = rng;
    this.keys = keys;
    this.prefix = prefix;
    this.revision = revision;
  }

  /** Takes note of what came back. */
  learn(outcome: HistoryOutcome): void {
    if (outcome.kind !== 'ok') return;
    this.revision = Math.max(this.revision, outcome.revision);
    this.learnAnswer(outcome.answer);
  }

  next(): HistoryRequest {
    const chance = this.rng.below(100);
    if (chance < 28) return this.put(this.key());
    if (chance < 48) return { kind: 'range', key: this.key() };
    if (chance < 56) return this.range();
    if (chance < 62) return { ...this.range(), serializable: true };
    if (chance < 66) return this.oldRange();
    if (chance < 73) return { kind: 'delete', key: this.key(), prevKv: true };
    if (chance < 75) return { kind: 'delete', ...this.span() };
    return this.transaction(chance);
  }

  private transaction(chance: number): HistoryOperation {
    const key = this.key();
    if (chance < 85) return this.swap(key);
    if (chance < 90) return this.create(key);
    if (chance < 97) return this.several();
    return {
      kind: 'txn',
      compare: [],
      success: [{ kind: 'range', key }, this.range()],
      failure: [],
    };
  }

  /** Puts where nobody has since it was seen. */
  private swap(key: string): HistoryOperation {
    const kv = this.seen.get(key) ?? null;
    const compare: HistoryCompare =
      kv !== null && this.rng.below(3) === 0
        ? { key, target: 'value', operator: '=', value: kv.value }
        : { key, target: 'mod', operator: '=', value: kv?.modRevision ?? 0 };
    return {
      kind: 'txn',
      compare: [compare],
      success: [this.put(key)],
      failure: [{ kind: 'range', key }],
    };
  }

  private create(key: string): HistoryOperation {
    return {
      kind: 'txn',
      compare: [{ key, target: 'version', operator: '=', value: 0 }],
      success: [this.put(key), { kind: 'range', key }],
      failure: [{ kind: 'delete', key, prevKv: true }],
    };
  }

  /** Changes more than one key, reads what it changes, and holds another transaction. */
  private several(): HistoryOperation {
    const [first, second, third] = this.threeKeys();
    const inner: HistoryOperation = {
      kind: 'txn',
      compare: [{ key: third, target: 'create', operator: '>', value: 0 }],
      success: [{ kind: 'delete', key: third }],
      failure: [this.put(third)],
    };
    return {
      kind: 'txn',
      compare: [{ key: first, target: 'version', operator: '<', value: 3 }],
      success: [this.put(first), this.put(second), { kind: 'range', ...this.all() }],
      failure: [{ kind: 'delete', key: first }, { kind: 'range', key: first }, inner],
    };
  }

  private put(key: string): HistoryOperation {
    this.written += 1;
    const value = `${this.client}.${this.written}`;
    return { kind: 'put', key, value, ...(this.rng.below(2) === 0 && { prevKv: true }) };
  }

  private range(): HistoryOperation & { kind: 'range' } {
    const limit = this.rng.below(4);
    return { kind: 'range', ...this.all(), ...(limit > 0 && { limit: 2 * limit }) };
  }

  private oldRange(): HistoryOperation {
    const revision = Math.max(1, this.revision - this.rng.below(OLD_REVISIONS));
    return { kind: 'range', ...this.all(), revision };
  }

  private all() {
    return { key: this.prefix, rangeEnd: `${this.prefix}~` };
  }

  /** A few neighbours. */
  private span() {
    const at = this.rng.below(this.keys.length - 1);
    return { key: this.keys[at] ?? '', rangeEnd: `${this.keys[at + 1] ?? ''}~` };
  }

  private key(): string {
    return this.keys[this.rng.below(this.keys.length)] ?? '';
  }

  private threeKeys(): [string, string, string] {
    const at = this.rng.below(this.keys.length);
    const key = (offset: number) => this.keys[(at + offset) % this.keys.length] ?? '';
    return [key(0), key(1), key(2)];
  }

  private learnAnswer(answer: HistoryAnswer): void {
    if (answer.kind === 'range') for (const kv of answer.kvs) this.seen.set(kv.key, kv);
    if (answer.kind === 'txn') for (const result of answer.results) this.learnAnswer(result);
    if (answer.kind === 'delete') this.seen.clear();
  }
}
