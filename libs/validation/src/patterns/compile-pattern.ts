import { RE2JS } from 're2js';

import { translatePattern, type TranslatedPattern } from './translate-pattern.js';

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
 * Compiles for the linear-time engine, else for the native one. What only RE2 understands, such as
 * `(?i)`, means what it means there. `undefined` when nobody understands it.
 */
export function compilePattern(pattern: string): Pattern | undefined {
  const flags = flagsOf(pattern);
  const translated = flags === undefined ? undefined : translatePattern(pattern, flags === 'u');
  const size = translated?.size ?? pattern.length;
  if (size <= MAX_LINEAR_SIZE) {
    const linear = compileLinear(translated?.source ?? pattern);
    if (linear !== undefined) {
      return { linear: true, size: linear.programSize(), test: (text) => linear.test(text) };
    }
  }
  if (flags === undefined) return undefined;
  const native = new RegExp(pattern, flags);
  return { linear: false, size, test: (text) => native.test(text) };
}

function compileLinear(source: string): RE2JS | undefined {
  try {
    return RE2JS.compile(source);
  } catch {
    return undefined;
  }
}
