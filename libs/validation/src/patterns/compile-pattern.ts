import { RE2JS } from 're2js';

import { translatePattern, type TranslatedPattern, unitsOf } from './translate-pattern.js';

/** Programs above this are left to the native engine: RE2JS would need megabytes for them. */
const MAX_LINEAR_SIZE = 10_000;

/** A regular expression of a user. */
export interface Pattern {
  /** Whether matching takes time linear in the text; if not, it may take for ever. */
  readonly linear: boolean;
  /** Roughly the number of instructions that each character of the text may cost. */
  readonly size: number;
  test(text: string): boolean;
}

/**
 * What a pattern means by ECMA-262: with the `u` flag as JSON Schema wants, or else without, as
 * many real patterns are written (`[\w-.]`, `\_`).
 */
export function flagsOf(pattern: string): 'u' | '' | undefined {
  for (const flags of ['u', ''] as const) {
    try {
      new RegExp(pattern, flags);
      return flags;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** The pattern for RE2, without compiling it; `undefined` when RE2's language cannot say it. */
export function translate(pattern: string): TranslatedPattern | undefined {
  const flags = flagsOf(pattern);
  return flags === undefined ? undefined : translatePattern(pattern, flags === 'u');
}

/**
 * Compiles for the linear-time engine, or for the native one where RE2's language does not reach.
 * A pattern that is legal in ECMA-262 means what it means there; what only RE2 understands, such as
 * `(?i)`, what it means to RE2. `undefined` when nobody understands it.
 */
export function compilePattern(pattern: string): Pattern | undefined {
  const flags = flagsOf(pattern);
  if (flags === undefined) return compileLinear({ source: pattern, size: pattern.length });
  const translated = translatePattern(pattern, flags === 'u');
  const linear = translated === undefined ? undefined : compileLinear(translated);
  if (linear !== undefined) return linear;
  const native = new RegExp(pattern, flags);
  const size = translated?.size ?? pattern.length;
  return { linear: false, size, test: (text) => native.test(text) };
}

interface LinearSource {
  readonly source: string;
  readonly size: number;
  readonly units?: boolean;
}

function compileLinear({ source, size, units = false }: LinearSource): Pattern | undefined {
  if (size > MAX_LINEAR_SIZE) return undefined;
  try {
    const compiled = RE2JS.compile(source);
    const test = (text: string): boolean => compiled.test(units ? unitsOf(text) : text);
    return { linear: true, size: compiled.programSize(), test };
  } catch {
    return undefined;
  }
}
