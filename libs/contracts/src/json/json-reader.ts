import type { ProblemCode } from '../problems.js';
import type { JsonValue } from './json-value.js';
import { joinPointer } from './pointer.js';
import { hasLoneSurrogate } from './unicode.js';

/** Why a text was refused, and where: `at` counts UTF-16 code units from 0. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';

  constructor(
    readonly code: ProblemCode,
    message: string,
    readonly at: number,
    readonly pointer: string,
  ) {
    super(message);
  }
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;
const BYTE_ORDER_MARK = 0xfeff;

/** An integer literal of up to this many characters is below 2^53, so a double holds it. */
const ALWAYS_EXACT = 15;
/** Of a literal or key, a message shows at most this many characters. */
const SHOWN = 40;
/** A pointer longer than this names the nearest enclosing container that is not. */
const POINTER_LENGTH = 1024;

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const FOUR_HEX = /^[0-9a-fA-F]{4}$/;

/** One reading of one text; see `parseJson` for what it accepts. Throws {@link JsonFault}. */
export class JsonReader {
  private at = 0;
  private depth = 0;
  /** `path[d - 1]`: the key or index being read in the container at depth d; `null`: none yet. */
  private readonly path: (string | number | null)[] = [];

  constructor(
    private readonly text: string,
    private readonly options: { readonly maxDepth: number; readonly exact: boolean },
  ) {}

  read(): JsonValue {
    if (this.text.charCodeAt(0) === BYTE_ORDER_MARK) {
      this.fail('malformed-json', 'the text starts with a byte order mark');
    }
    this.skipSpace();
    const value = this.readValue();
    this.skipSpace();
    if (this.at < this.text.length) {
      this.fail('malformed-json', `${this.found()} after the end of the value`);
    }
    return value;
  }

  private readValue(): JsonValue {
    switch (this.text.charCodeAt(this.at)) {
      case OPEN_BRACE:
        return this.readObject();
      case OPEN_BRACKET:
        return this.readArray();
      case QUOTE:
        return this.readString();
      case 0x74:
        return this.readWord('true', true);
      case 0x66:
        return this.readWord('false', false);
      case 0x6e:
        return this.readWord('null', null);
      default:
        return this.readNumber();
    }
  }

  private readObject(): JsonValue {
    const object: Record<string, JsonValue> = {};
    if (this.enter(CLOSE_BRACE)) return object;
    for (;;) {
      const key = this.readKey(object);
      this.skipSpace();
      if (this.text.charCodeAt(this.at) !== COLON) this.unexpected('":"');
      this.at += 1;
      this.skipSpace();
      object[key] = this.readValue();
      if (this.leaveOrNext(CLOSE_BRACE, '"," or "}"')) return object;
      this.path[this.depth - 1] = null;
    }
  }

  private readArray(): JsonValue {
    const array: JsonValue[] = [];
    if (this.enter(CLOSE_BRACKET)) return array;
    for (;;) {
      this.path[this.depth - 1] = array.length;
      array.push(this.readValue());
      if (this.leaveOrNext(CLOSE_BRACKET, '"," or "]"')) return array;
    }
  }

  /** Steps into a container; `true` when it is empty and was left again. */
  private enter(close: number): boolean {
    if (this.depth >= this.options.maxDepth) {
      this.fail('too-deep', `nested deeper than ${this.options.maxDepth} levels`);
    }
    this.path[this.depth] = null;
    this.depth += 1;
    this.at += 1;
    this.skipSpace();
    if (this.text.charCodeAt(this.at) !== close) return false;
    this.at += 1;
    this.depth -= 1;
    return true;
  }

  /** After a member: `true` when the container ended, `false` when another member follows. */
  private leaveOrNext(close: number, expected: string): boolean {
    this.skipSpace();
    const code = this.text.charCodeAt(this.at);
    if (code === close) {
      this.at += 1;
      this.depth -= 1;
      return true;
    }
    if (code !== COMMA) this.unexpected(expected);
    this.at += 1;
    this.skipSpace();
    return false;
  }

  private readKey(object: Readonly<Record<string, JsonValue>>): string {
    const start = this.at;
    if (this.text.charCodeAt(start) !== QUOTE) this.unexpected('a key in double quotes');
    const key = this.readString();
    this.path[this.depth - 1] = key;
    if (key === '__proto__') {
      this.fail('forbidden-key', 'the key "__proto__" is not allowed', start);
    }
    if (Object.hasOwn(object, key)) {
      this.fail('duplicate-key', `the key ${shown(JSON.stringify(key))} occurs twice`, start);
    }
    return key;
  }

  private readString(): string {
    const start = this.at + 1;
    const { text } = this;
    let surrogates = false;
    let at = start;
    for (; ; at += 1) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) return this.readEscaped(start, at);
      if (code >= FIRST_SURROGATE && code <= LAST_SURROGATE) surrogates = true;
      else if (!(code >= SPACE)) this.badCharacter(at);
    }
    this.at = at + 1;
    const value = text.slice(start, at);
    if (surrogates) this.checkUnicode(value, start - 1);
    return value;
  }

  /** Goes on with a string whose first escape is at `firstEscape`. */
  private readEscaped(start: number, firstEscape: number): string {
    const { text } = this;
    let value = '';
    let from = start;
    let at = firstEscape;
    for (;;) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        value += text.slice(from, at) + this.readEscape(at);
        at += text.charCodeAt(at + 1) === 0x75 ? 6 : 2;
        from = at;
      } else {
        if (!(code >= SPACE)) this.badCharacter(at);
        at += 1;
      }
    }
    value += text.slice(from, at);
    this.at = at + 1;
    this.checkUnicode(value, start - 1);
    return value;
  }

  private readEscape(at: number): string {
    const letter = this.text.charAt(at + 1);
    if (letter === 'u') {
      const digits = this.text.slice(at + 2, at + 6);
      if (FOUR_HEX.test(digits)) return String.fromCharCode(Number.parseInt(digits, 16));
      this.fail('malformed-json', '"\\u" is not followed by four hexadecimal digits', at);
    }
    const character = ESCAPES[letter];
    if (character !== undefined) return character;
    return this.fail('malformed-json', `"\\${letter}" is not an escape`, at);
  }

  private readNumber(): number {
    const { text } = this;
    const start = this.at;
    let at = text.charCodeAt(start) === MINUS ? start + 1 : start;
    if (!isDigit(text.charCodeAt(at))) {
      this.at = at;
      this.unexpected(at === start ? 'a value' : 'a digit');
    }
    at = text.charCodeAt(at) === ZERO ? at + 1 : this.skipDigits(at);
    let integer = true;
    if (text.charCodeAt(at) === DOT) {
      integer = false;
      at = this.skipDigits(at + 1);
    }
    if (text.charAt(at) === 'e' || text.charAt(at) === 'E') {
      integer = false;
      const sign = text.charAt(at + 1);
      at = this.skipDigits(sign === '+' || sign === '-' ? at + 2 : at + 1);
    }
    this.at = at;
    return this.toDouble(text.slice(start, at), integer, start);
  }

  private toDouble(literal: string, integer: boolean, start: number): number {
    const value = Number(literal);
    if (!Number.isFinite(value)) {
      this.fail('number-not-representable', `${shown(literal)} is beyond the doubles`, start);
    }
    if (
      integer &&
      this.options.exact &&
      literal.length > ALWAYS_EXACT &&
      String(value) !== literal
    ) {
      const message = `no double is exactly ${shown(literal)}: the nearest is ${value}; use a string`;
      this.fail('number-not-representable', message, start);
    }
    return value === 0 ? 0 : value;
  }

  private skipDigits(from: number): number {
    let at = from;
    while (isDigit(this.text.charCodeAt(at))) at += 1;
    if (at === from) {
      this.at = at;
      this.unexpected('a digit');
    }
    return at;
  }

  private readWord<T extends boolean | null>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.unexpected('a value');
    this.at += word.length;
    return value;
  }

  private skipSpace(): void {
    const { text } = this;
    let { at } = this;
    for (; ; at += 1) {
      const code = text.charCodeAt(at);
      if (code !== SPACE && code !== LINE_FEED && code !== RETURN && code !== TAB) break;
    }
    this.at = at;
  }

  private checkUnicode(value: string, start: number): void {
    if (hasLoneSurrogate(value)) {
      this.fail('lone-surrogate', 'the string has a surrogate without its partner', start);
    }
  }

  private badCharacter(at: number): never {
    if (at >= this.text.length) {
      this.fail('malformed-json', 'the text ends inside a string', at);
    }
    const code = this.text.charCodeAt(at).toString(16).padStart(4, '0');
    return this.fail('malformed-json', `write the control character in a string as \\u${code}`, at);
  }

  private unexpected(expected: string): never {
    return this.fail('malformed-json', `expected ${expected}, found ${this.found()}`);
  }

  private found(): string {
    if (this.at >= this.text.length) return 'the end of the text';
    return JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.at) ?? 0));
  }

  private fail(code: ProblemCode, message: string, at = this.at): never {
    throw new JsonFault(code, message, at, this.pointer());
  }

  private pointer(): string {
    let pointer = '';
    for (const key of this.path.slice(0, this.depth)) {
      if (key === null) break;
      const next = joinPointer(pointer, key);
      if (next.length > POINTER_LENGTH) break;
      pointer = next;
    }
    return pointer;
  }
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

function shown(literal: string): string {
  return literal.length <= SHOWN ? literal : `${literal.slice(0, SHOWN)}…`;
}
