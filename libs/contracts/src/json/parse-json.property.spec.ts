import { deepStrictEqual } from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonKey, jsonObject, jsonValue } from '../testing/json.arbitrary.js';
import { seed } from '../testing/seed.js';
import type { ProblemCode } from '../problems.js';
import type { JsonValue } from './json-value.js';
import { parseJson } from './parse-json.js';

/** Pieces of JSON and of what is nearly JSON. */
const piece = fc.constantFrom(
  ...['{', '}', '[', ']', ',', ':', '"', '"a"', '"a":', '"b":1', '0', '1', '-', '.', 'e', 'E', '+'],
  ...['12', '1.5', '1e5', '-0', 'true', 'false', 'null', 'nul', ' ', '\n', '\t', '\f', '\u00a0'],
  ...['\\', '\\u', '\\u0041', '\\n', '\\x', '/', "'", '\u0001', 'é', '😀', '\ufeff', '[]', '{}'],
);

function parsedByEngine(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text, (_, value: JsonValue) => (value === 0 ? 0 : value)) as JsonValue;
  } catch {
    return undefined;
  }
}

/** Refusals of what JSON.parse accepts have tests of their own. */
const STRICTER: readonly ProblemCode[] = [
  'duplicate-key',
  'forbidden-key',
  'number-not-representable',
  'lone-surrogate',
];

function compare(text: string): void {
  const own = parseJson(text, { numbers: 'double' });
  const theirs = parsedByEngine(text);
  if (own.ok) deepStrictEqual(own.value, theirs);
  else if (own.problem.code === 'malformed-json') expect(theirs).toBeUndefined();
  else expect(STRICTER).toContain(own.problem.code);
}

describe('parseJson, any text', () => {
  it('agrees with JSON.parse on texts made of pieces of JSON', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => compare(pieces.join(''))),
      { seed, numRuns: 20_000 },
    );
  });

  it('agrees with JSON.parse on JSON with one character changed', () => {
    const change = fc.tuple(
      jsonValue,
      fc.nat(),
      fc.nat({ max: 1 }),
      fc.constantFrom('', ',', '"', '0', ' ', '}', ']', ':', '-', '.', 'e', '\\', '\u0007'),
    );
    fc.assert(
      fc.property(change, ([value, where, removed, inserted]) => {
        const text = JSON.stringify(value, null, where % 3);
        const at = where % (text.length + 1);
        const changed = text.slice(0, at) + inserted + text.slice(at + removed);
        compare(changed);
      }),
      { seed, numRuns: 5000 },
    );
  });

  it('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(jsonValue, fc.nat({ max: 3 }), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        deepStrictEqual(parseJson(text, { numbers: 'double' }), { ok: true, value });
      }),
      { seed, numRuns: 2000 },
    );
  });

  it('refuses an object with one key repeated, wherever it is', () => {
    const repeated = fc.tuple(jsonObject, jsonKey, jsonValue, fc.array(jsonKey, { maxLength: 3 }));
    fc.assert(
      fc.property(repeated, ([object, key, value, path]) => {
        const member = `${JSON.stringify(key)}:${JSON.stringify(value)}`;
        const others = JSON.stringify(object).slice(1, -1);
        const inner = `{${[member, others, member].filter((part) => part !== '').join()}}`;
        const text = path.reduce((inside, step) => `{${JSON.stringify(step)}:[${inside}]}`, inner);
        const outcome = parseJson(text, { numbers: 'double' });
        expect(outcome).toMatchObject({ ok: false, problem: { code: 'duplicate-key' } });
      }),
      { seed, numRuns: 1000 },
    );
  });

  it('refuses, in exact mode, just the integers that are not printed back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), (integer) => {
        const literal = integer.toString();
        expect(parseJson(literal).ok).toBe(String(Number(literal)) === literal);
      }),
      { seed, numRuns: 5000 },
    );
  });
});
