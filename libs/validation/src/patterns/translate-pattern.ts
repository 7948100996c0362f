/** An ECMA-262 pattern in RE2's syntax. */
export interface TranslatedPattern {
  readonly source: string;
  /** It matches code units, as without the `u` flag: give it the text by {@link unitsOf}. */
  readonly units: boolean;
  /** Roughly the number of RE2 instructions, repetitions counted out. */
  readonly size: number;
}

/** White space and line terminators of ECMA-262 `\s`, as the inside of an RE2 class. */
const SPACES =
  '\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}';
const NOT_SPACES =
  '\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}' +
  '\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}';
const ANY = '[\\x{0}-\\x{10ffff}]';
const NOTHING = '[^\\x{0}-\\x{10ffff}]';
const NOT_LINE_END = '[^\\n\\r\\x{2028}\\x{2029}]';

/** RE2 refuses to count higher. */
const MAX_REPEAT = 1000;
/** What a Unicode property costs: it is a class of hundreds of ranges. */
const PROPERTY_SIZE = 50;

const CONTROL: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

/** One element of a character class: a code point that may start or end a range, or a set. */
type ClassAtom =
  | { readonly kind: 'point'; readonly point: number }
  | { readonly kind: 'set'; readonly set: string };

class Unsupported extends Error {}

/**
 * RE2 matches code points. Where code units count, each half of a surrogate pair is written as the
 * code point so far above it in plane 16, which no single unit can be.
 */
const UNIT_SHIFT = 0x100000 - 0xd800;

/** A text whose code points are the code units of `text`. */
export function unitsOf(text: string): string {
  return text.replace(/[\ud800-\udfff]/g, (unit) =>
    String.fromCodePoint(unit.charCodeAt(0) + UNIT_SHIFT),
  );
}

/**
 * Writes a pattern that ECMA-262 takes (`unicode`: with the `u` flag) so that RE2 matches the same
 * strings. `undefined` when RE2's language does not reach that far: look-around, back-references,
 * counts above 1,000, and rare escapes.
 */
export function translatePattern(pattern: string, unicode: boolean): TranslatedPattern | undefined {
  try {
    return new PatternTranslator(pattern, unicode).translate();
  } catch (error) {
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
}

class PatternTranslator {
  #at = 0;
  #out = '';
  /** Sizes: of the open groups so far, and of what a quantifier would repeat. */
  readonly #outer: number[] = [];
  #total = 1;
  #last = 0;

  constructor(
    private readonly pattern: string,
    private readonly unicode: boolean,
  ) {}

  translate(): TranslatedPattern {
    while (this.#at < this.pattern.length) this.#term();
    return { source: this.#out, size: this.#total, units: !this.unicode };
  }

  #term(): void {
    const char = this.#next();
    if (char === '\\') return this.#escape();
    if (char === '[') return this.#class();
    if (char === '(') return this.#open();
    if (char === ')') return this.#close();
    if (char === '.') return this.#emit(NOT_LINE_END, 3);
    if (char === '$') return this.#assertion('\\z');
    if (char === '^' || char === '|') return this.#assertion(char);
    if (char === '*' || char === '+' || char === '?')
      return this.#quantifier(char, char === '?' ? 1 : 0);
    if (char === '{' && this.#counted()) return;
    this.#emit(this.#literal(char.codePointAt(0) as number), 1);
  }

  #next(): string {
    const char = this.unicode
      ? String.fromCodePoint(this.pattern.codePointAt(this.#at) as number)
      : this.pattern.charAt(this.#at);
    this.#at += char.length;
    return char;
  }

  #take(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.pattern);
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }

  #emit(source: string, size: number): void {
    this.#out += source;
    this.#total += size;
    this.#last = size;
  }

  #assertion(source: string): void {
    this.#emit(source, 1);
  }

  /** Captures are never read, so every group is a plain one. */
  #open(): void {
    if (this.#take(/\?(?:<?[=!])/y) !== undefined) throw new Unsupported();
    if (this.#take(/\?:|\?<[^>]*>/y) === undefined && this.pattern[this.#at] === '?') {
      throw new Unsupported();
    }
    this.#out += '(?:';
    this.#outer.push(this.#total);
    this.#total = 0;
  }

  #close(): void {
    const inside = this.#total;
    this.#out += ')';
    this.#total = (this.#outer.pop() ?? 0) + inside;
    this.#last = inside;
  }

  /** Laziness changes what is captured, never whether there is a match. */
  #quantifier(source: string, extra: number): void {
    this.#take(/\?/y);
    this.#out += source;
    this.#total += 1 + extra;
  }

  #counted(): boolean {
    const found = this.#take(/(\d+)(?:(,)(\d*))?\}/y);
    if (found === undefined) return false;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] ? Number(found[3]) : Infinity;
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max !== Infinity)) throw new Unsupported();
    const times = max === Infinity ? min + 1 : max;
    this.#take(/\?/y);
    this.#out += `{${found[0]}`;
    this.#total += this.#last * Math.max(0, times - 1) + 1;
    return true;
  }

  #escape(): void {
    const set = this.#setEscape();
    if (set !== undefined) {
      return this.#emit(
        set.length > 3 ? `[${set}]` : set,
        set.startsWith('\\p') ? PROPERTY_SIZE : 3,
      );
    }
    if (this.#take(/[bB]/y) !== undefined) {
      return this.#assertion(this.pattern[this.#at - 1] === 'b' ? '\\b' : '\\B');
    }
    this.#emit(this.#literal(this.#pointEscape()), 1);
  }

  /** `\d`, `\w`, `\s`, `\p{…}` and their complements, as the inside of a class. */
  #setEscape(): string | undefined {
    const simple = this.#take(/[dDwW]/y);
    if (simple !== undefined) return `\\${simple[0]}`;
    if (this.#take(/s/y) !== undefined) return SPACES;
    if (this.#take(/S/y) !== undefined) return NOT_SPACES;
    if (!this.unicode) return undefined;
    const property = this.#take(/([pP])\{(?:(?:Script|sc)=)?([A-Za-z_]+)\}/y);
    return property === undefined ? undefined : `\\${property[1]}{${property[2]}}`;
  }

  #pointEscape(): number {
    const control = this.#take(/[tnvfr]/y);
    if (control !== undefined) return CONTROL[control[0]] as number;
    if (this.#take(/0(?!\d)/y) !== undefined) return 0;
    const letter = this.#take(/c([A-Za-z])/y);
    if (letter !== undefined) return (letter[1] as string).charCodeAt(0) % 32;
    const hex =
      this.#take(/x([\da-fA-F]{2})/y) ??
      (this.unicode ? this.#take(/u\{([\da-fA-F]+)\}/y) : undefined);
    if (hex !== undefined) return Number.parseInt(hex[1] as string, 16);
    const pair = this.unicode
      ? this.#take(/u([dD][89abAB][\da-fA-F]{2})\\u([dD][c-fC-F][\da-fA-F]{2})/y)
      : undefined;
    if (pair !== undefined) {
      const [high, low] = [pair[1], pair[2]].map((unit) => Number.parseInt(unit as string, 16));
      return ((high as number) - 0xd800) * 0x400 + ((low as number) - 0xdc00) + 0x10000;
    }
    const unit = this.#take(/u([\da-fA-F]{4})/y);
    if (unit !== undefined) return Number.parseInt(unit[1] as string, 16);
    const char = this.#next();
    if ((this.unicode ? /[A-Za-z0-9]/ : /[ck0-9]/).test(char)) throw new Unsupported();
    return char.codePointAt(0) as number;
  }

  #class(): void {
    const negated = this.#take(/\^/y) !== undefined;
    let inside = '';
    let items = 0;
    while (this.pattern[this.#at] !== ']') {
      inside += this.#classItem();
      items += 1;
    }
    this.#at += 1;
    if (inside === '') return this.#emit(negated ? ANY : NOTHING, 1);
    const size = 1 + items + (inside.includes('\\p') || inside.includes('\\P') ? PROPERTY_SIZE : 0);
    this.#emit(`[${negated ? '^' : ''}${inside}]`, size);
  }

  #classItem(): string {
    const from = this.#classAtom();
    const next = this.pattern[this.#at + 1];
    if (this.pattern[this.#at] !== '-' || next === ']' || next === undefined) {
      return this.#written(from);
    }
    this.#at += 1;
    const to = this.#classAtom();
    if (from.kind === 'point' && to.kind === 'point') return this.#range(from.point, to.point);
    return `${this.#written(from)}\\x{2d}${this.#written(to)}`;
  }

  #classAtom(): ClassAtom {
    const char = this.#next();
    if (char !== '\\') return { kind: 'point', point: char.codePointAt(0) as number };
    const set = this.#setEscape();
    if (set !== undefined) return { kind: 'set', set };
    if (this.#take(/b/y) !== undefined) return { kind: 'point', point: 8 };
    if (this.#take(/-/y) !== undefined) return { kind: 'point', point: 45 };
    return { kind: 'point', point: this.#pointEscape() };
  }

  #literal(point: number): string {
    const char = String.fromCodePoint(point);
    return /[\w ]/.test(char) ? char : escaped(this.#asCodePoint(point));
  }

  #written(atom: ClassAtom): string {
    return atom.kind === 'set' ? atom.set : escaped(this.#asCodePoint(atom.point));
  }

  #range(from: number, to: number): string {
    if (this.unicode || from > 0xdfff || to < 0xd800) {
      return `${escaped(this.#asCodePoint(from))}-${escaped(this.#asCodePoint(to))}`;
    }
    const halves = [Math.max(from, 0xd800), Math.min(to, 0xdfff)].map((at) => at + UNIT_SHIFT);
    const below = from < 0xd800 ? `${escaped(from)}-\\x{d7ff}` : '';
    const above = to > 0xdfff ? `\\x{e000}-${escaped(to)}` : '';
    return below + halves.map(escaped).join('-') + above;
  }

  /** Half of a surrogate pair is no character to RE2. */
  #asCodePoint(point: number): number {
    if (point < 0xd800 || point > 0xdfff) return point;
    if (this.unicode) throw new Unsupported();
    return point + UNIT_SHIFT;
  }
}

function escaped(point: number): string {
  return `\\x{${point.toString(16)}}`;
}
