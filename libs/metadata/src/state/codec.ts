const INITIAL_BYTES = 256;
/** Room that an encoder which is used over and over keeps: beyond it something rare was encoded. */
const KEPT_BYTES = 256 * 1024;

/** Appends to a growing array of bytes; integers are big-endian. */
export class Encoder {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = INITIAL_BYTES) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
    return this;
  }

  /** A safe integer, not negative, as 64 bits. */
  u64(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a count: ${value}`);
    this.#reserve(8);
    this.#view.setUint32(this.#length, Math.floor(value / 2 ** 32));
    this.#view.setUint32(this.#length + 4, value % 2 ** 32);
    this.#length += 8;
    return this;
  }

  /** How many UTF-16 code units in 32 bits, then each in 16. */
  text(value: string): this {
    this.u32(value.length);
    this.#reserve(2 * value.length);
    for (let at = 0; at < value.length; at += 1) {
      this.#view.setUint16(this.#length + 2 * at, value.charCodeAt(at));
    }
    this.#length += 2 * value.length;
    return this;
  }

  i64(value: bigint): this {
    this.#reserve(8);
    this.#view.setBigInt64(this.#length, value);
    this.#length += 8;
    return this;
  }

  /** Length in 32 bits, then the bytes. */
  bytes(value: Uint8Array): this {
    this.u32(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** How many in 32 bits, then each. */
  list<T>(items: readonly T[], encode: (item: T) => void): this {
    this.u32(items.length);
    for (const item of items) encode(item);
    return this;
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes from an index on, as they are now: to be used before more is appended. */
  view(from = 0): Uint8Array {
    return this.#bytes.subarray(from, this.#length);
  }

  /** Begins anew, keeping the room it has unless that is much. */
  reset(): this {
    this.#length = 0;
    if (this.#bytes.length > KEPT_BYTES) this.#move(INITIAL_BYTES);
    return this;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    this.#move(Math.max(needed, this.#bytes.length * 2));
  }

  #move(capacity: number): void {
    const bytes = new Uint8Array(capacity);
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** Reads what {@link Encoder} wrote; throws a `RangeError` beyond the end or on a wrong value. */
export class Decoder {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): number {
    const value = this.u32() * 2 ** 32 + this.u32();
    if (value > Number.MAX_SAFE_INTEGER) throw new RangeError('not a safe integer');
    return value;
  }

  /** A byte of flags; throws on a bit that is not in `all`. */
  flags(all: number): number {
    const flags = this.u8();
    if ((flags & ~all) !== 0) throw new RangeError(`flags ${flags} are not known`);
    return flags;
  }

  text(): string {
    const units = this.u32();
    const from = this.#take(2 * units);
    let text = '';
    for (let at = 0; at < units; at += 1) {
      text += String.fromCharCode(this.#view.getUint16(from + 2 * at));
    }
    return text;
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8));
  }

  /** A copy. */
  bytes(): Uint8Array {
    const length = this.u32();
    const from = this.#take(length);
    return this.#bytes.slice(from, from + length);
  }

  list<T>(decode: () => T): T[] {
    const count = this.u32();
    const items: T[] = [];
    for (let at = 0; at < count; at += 1) items.push(decode());
    return items;
  }

  /** Whether something is left to read. */
  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** Everything must have been read. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError('surplus bytes');
  }

  #take(length: number): number {
    const from = this.#at;
    if (from + length > this.#bytes.length) throw new RangeError('cut off');
    this.#at = from + length;
    return from;
  }
}

/** The name with a number; throws a `RangeError` when there is none. */
export function pick<T>(names: readonly T[], at: number): T {
  const name = names[at];
  if (name === undefined) throw new RangeError(`kind ${at} is not known`);
  return name;
}
