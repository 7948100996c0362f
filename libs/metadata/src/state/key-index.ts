import type { ByteKey, Interval } from './byte-key.js';
import type { KeyRecord } from './key-record.js';

/** Records per chunk after which it is split: inserting moves at most so many. */
const CHUNK = 256;

interface Chunk {
  /** Sorted by key; never empty but for the first chunk of an empty index. */
  readonly records: KeyRecord[];
  /** How many of them are there now (have a version that is no deletion). */
  live: number;
}

/** Records of keys in the order of their bytes: found, inserted and removed in logarithmic time. */
export class KeyIndex {
  readonly #chunks: Chunk[] = [{ records: [], live: 0 }];

  get(key: ByteKey): KeyRecord | undefined {
    const { records } = this.#chunkOf(key);
    const record = records[lowerBound(records, key)];
    return record?.id === key ? record : undefined;
  }

  /** Adds the record of a key that has none, and that is not there yet. */
  insert(record: KeyRecord): void {
    const at = this.#indexOf(record.id);
    const chunk = this.#chunk(at);
    const { records } = chunk;
    records.splice(lowerBound(records, record.id), 0, record);
    if (records.length <= CHUNK) return;
    /* Keys that come in order fill their chunks. */
    const last = at === this.#chunks.length - 1 && records.at(-1) === record;
    const moved = records.splice(last ? CHUNK : CHUNK / 2);
    const live = moved.filter(({ current }) => current !== null).length;
    chunk.live -= live;
    this.#chunks.splice(at + 1, 0, { records: moved, live });
  }

  /** Removes the record of a key that is not there any more. */
  remove(key: ByteKey): void {
    const at = this.#indexOf(key);
    const { records } = this.#chunk(at);
    const position = lowerBound(records, key);
    if (records[position]?.id !== key) return;
    records.splice(position, 1);
    if (records.length === 0 && this.#chunks.length > 1) this.#chunks.splice(at, 1);
  }

  /** To be told when a key of the index comes (1) or goes (-1). */
  changeLive(key: ByteKey, by: 1 | -1): void {
    this.#chunkOf(key).live += by;
  }

  /** Calls `visit` for the records of an interval in order, until it answers false. */
  visit({ from, until }: Interval, visit: (record: KeyRecord) => boolean): void {
    const first = this.#indexOf(from);
    for (let at = first; at < this.#chunks.length; at += 1) {
      const { records } = this.#chunk(at);
      for (let i = at === first ? lowerBound(records, from) : 0; i < records.length; i += 1) {
        const record = records[i];
        if (record === undefined || (until !== null && record.id >= until)) return;
        if (!visit(record)) return;
      }
    }
  }

  /** How many keys of an interval are there now. Looks at single records in its end chunks only. */
  countLive({ from, until }: Interval): number {
    if (until !== null && until <= from) return 0;
    const first = this.#indexOf(from);
    const last = until === null ? this.#chunks.length : this.#indexOf(until);
    let count = 0;
    for (let at = first; at <= last && at < this.#chunks.length; at += 1) {
      const chunk = this.#chunk(at);
      const whole = at > first && at < last;
      count += whole ? chunk.live : countIn(chunk.records, from, until);
    }
    return count;
  }

  #chunkOf(key: ByteKey): Chunk {
    return this.#chunk(this.#indexOf(key));
  }

  #chunk(at: number): Chunk {
    const chunk = this.#chunks[at];
    if (chunk === undefined) throw new RangeError(`no chunk ${at}`);
    return chunk;
  }

  /** Index of the chunk in which `key` is or belongs: the last that does not begin after it. */
  #indexOf(key: ByteKey): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#chunks[middle]?.records[0]?.id ?? '') <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function countIn(records: readonly KeyRecord[], from: ByteKey, until: ByteKey | null): number {
  const end = until === null ? records.length : lowerBound(records, until);
  let count = 0;
  for (let at = lowerBound(records, from); at < end; at += 1) {
    if (records[at]?.current !== null) count += 1;
  }
  return count;
}

/** Index of the first record whose key is not before `key`. */
function lowerBound(records: readonly KeyRecord[], key: ByteKey): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle]?.id ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
