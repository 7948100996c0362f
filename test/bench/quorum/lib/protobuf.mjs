// The little of protobuf's wire format (protobuf.dev, "Encoding") that the lean client speaks.

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** @param {number} value an integer from 0 to 2^53 - 1 */
export function varint(value) {
  const bytes = [];
  while (value >= 0x80) {
    bytes.push((value % 0x80) | 0x80);
    value = Math.floor(value / 0x80);
  }
  bytes.push(value);
  return Buffer.from(bytes);
}

/** @param {number} field @param {number} value */
export function numberField(field, value) {
  return Buffer.concat([varint(field * 8 + VARINT), varint(value)]);
}

/** The tag and the length; the content comes right behind it. @param {number} field */
export function bytesHead(field, length) {
  return Buffer.concat([varint(field * 8 + BYTES), varint(length)]);
}

/** @param {number} field @param {Buffer} content */
export function bytesField(field, content) {
  return Buffer.concat([bytesHead(field, content.length), content]);
}

/** Walks over the fields of one message, one `next()` each; unknown ones are stepped over. */
export class FieldReader {
  /** @param {Buffer} buffer */
  constructor(buffer, start = 0, end = buffer.length) {
    this.buffer = buffer;
    this.at = start;
    this.end = end;
    this.field = 0;
    /** Of a number: its value, exact up to 2^53. */
    this.number = 0;
    /** Of bytes: where they begin and end. */
    this.from = 0;
    this.to = 0;
  }

  /** @returns {boolean} false at the end of the message */
  next() {
    if (this.at >= this.end) return false;
    const tag = this.#varint();
    this.field = tag >>> 3;
    const type = tag & 7;
    if (type === VARINT) this.number = this.#varint();
    else if (type === BYTES) {
      const length = this.#varint();
      this.from = this.at;
      this.at += length;
      this.to = this.at;
    } else if (type === FIXED64) this.at += 8;
    else if (type === FIXED32) this.at += 4;
    else throw new Error(`unknown wire type ${type}`);
    return true;
  }

  #varint() {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.buffer[this.at];
      this.at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }
}

/**
 * A number of all 64 bits, as text; null when the message does not have the field.
 *
 * @param {Buffer} buffer @param {number} field
 */
export function wideNumber(buffer, field) {
  const reader = new FieldReader(buffer);
  for (let before = 0; reader.next(); before = reader.at) {
    if (reader.field === field) return decodeWide(buffer.subarray(before, reader.at));
  }
  return null;
}

/** @param {Buffer} bytes a tag of one byte and its varint */
function decodeWide(bytes) {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 1; at -= 1)
    value = (value << 7n) | BigInt(bytes[at] & 0x7f);
  return value.toString();
}
