import { deepStrictEqual } from 'node:assert/strict';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../limits.js';
import type { Problem } from '../problems.js';
import { parseJson } from './parse-json.js';
import type { ParseJsonOptions } from './parse-json.js';

function refusal(text: string, options?: ParseJsonOptions): Problem {
  const outcome = parseJson(text, options);
  if (outcome.ok) throw new Error(`accepted: ${JSON.stringify(outcome.value)}`);
  return outcome.problem;
}

function place(problem: Problem): string | undefined {
  expect(problem.errors).toHaveLength(1);
  return problem.errors?.[0]?.pointer;
}

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('parseJson', () => {
  it('reads every kind of value', () => {
    const text =
      ' {"a" : [ 1, -2.5e+3 , true,false ,null, "x\\u00e9\\n\\/" ], "":{} ,"b":[]}\r\n\t';
    deepStrictEqual(parseJson(text), { ok: true, value: JSON.parse(text) as unknown });
  });

  it('keeps keys that objects inherit as ordinary data', () => {
    const text = '{"constructor":{"prototype":{"x":1}},"toString":null,"hasOwnProperty":2,"":3}';
    deepStrictEqual(parseJson(text), { ok: true, value: JSON.parse(text) as unknown });
  });

  it.each([
    ['', '', 'line 1, column 1'],
    ['  \n ', '', 'line 2, column 2'],
    ['{"a":1}\n x', '', 'line 2, column 2'],
    ['{"a":[1,2,]}', '/a/2', 'line 1, column 11'],
    ['{"a":1,}', '', 'line 1, column 8'],
    ['{"a" 1}', '/a', 'line 1, column 6'],
    ['{a:1}', '', 'line 1, column 2'],
    ['[1 2]', '/0', 'line 1, column 4'],
    ['[01]', '/0', 'line 1, column 3'],
    ['[-]', '/0', 'line 1, column 3'],
    ['[+1]', '/0', 'line 1, column 2'],
    ['[.5]', '/0', 'line 1, column 2'],
    ['[5.]', '/0', 'line 1, column 4'],
    ['[1e]', '/0', 'line 1, column 4'],
    ['[1e+]', '/0', 'line 1, column 5'],
    ['[NaN]', '/0', 'line 1, column 2'],
    ['[nul]', '/0', 'line 1, column 2'],
    ["['a']", '/0', 'line 1, column 2'],
    ['"\t"', '', 'line 1, column 2'],
    ['"\\n\u0000"', '', 'line 1, column 4'],
    ['"\\x"', '', 'line 1, column 2'],
    ['"\\u12g4"', '', 'line 1, column 2'],
    ['"\\u12', '', 'line 1, column 2'],
    ['"abc', '', 'line 1, column 5'],
    ['"abc\\', '', 'line 1, column 5'],
    ['[1', '/0', 'line 1, column 3'],
    ['{"a":{"b~/":', '/a/b~0~1', 'line 1, column 13'],
    ['\ufeff{}', '', 'line 1, column 1'],
    ['[1]\u00a0', '', 'line 1, column 4'],
    ['[1]//', '', 'line 1, column 4'],
  ])('refuses %j as malformed, and says where', (text, pointer, position) => {
    expect(() => JSON.parse(text) as unknown).toThrow();
    const problem = refusal(text, { address: 'acme/prod' });
    expect(problem.code).toBe('malformed-json');
    expect(problem.detail).toContain(`(${position})`);
    expect(place(problem)).toBe(pointer);
    expect(problem.errors?.[0]?.address).toBe('acme/prod');
  });

  it.each([
    ['{"a":1,"a":1}', '/a'],
    ['{"x":[{"a":1,"b":2,"\\u0061":3}]}', '/x/0/a'],
    ['{"":1,"":2}', '/'],
    ['{"constructor":1,"constructor":2}', '/constructor'],
    ['{"7":1,"7":2}', '/7'],
  ])('refuses the duplicate key in %s', (text, pointer) => {
    const problem = refusal(text);
    expect(problem.code).toBe('duplicate-key');
    expect(place(problem)).toBe(pointer);
  });

  it.each([
    ['{"__proto__":1}', '/__proto__'],
    ['{"a":[{"\\u005f_proto__":{}}]}', '/a/0/__proto__'],
  ])('refuses the key of %s', (text, pointer) => {
    const problem = refusal(text);
    expect(problem.code).toBe('forbidden-key');
    expect(place(problem)).toBe(pointer);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('takes "__proto__" as a value', () => {
    deepStrictEqual(parseJson('["__proto__"]'), { ok: true, value: ['__proto__'] });
  });

  it.each([
    ['["\ud800"]', '/0'],
    ['["\udc00\ud800"]', '/0'],
    ['["ab\\ud83d"]', '/0'],
    ['["\\ude00\\ud83d"]', '/0'],
    ['["\\ud83d\\n\\ude00"]', '/0'],
    ['{"a":{"\\udfff":1}}', '/a'],
  ])('refuses the lone surrogate in %j', (text, pointer) => {
    const problem = refusal(text);
    expect(problem.code).toBe('lone-surrogate');
    expect(place(problem)).toBe(pointer);
  });

  it('takes pairs of surrogates, raw or escaped', () => {
    const value = ['😀', '😀', 'x😀y'];
    deepStrictEqual(parseJson('["😀","\\ud83d\\ude00","x\\uD83D\\uDE00y"]'), {
      ok: true,
      value,
    });
  });

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '12345678901234567890',
    '1000000000000000000000',
    '1'.repeat(400),
    `${'9'.repeat(30)}`,
  ])('refuses the integer %s, which no double prints as, in exact mode only', (literal) => {
    const problem = refusal(`{"a":[${literal}]}`);
    expect(problem.code).toBe('number-not-representable');
    expect(place(problem)).toBe('/a/0');
    const rounded = Number(literal);
    if (!Number.isFinite(rounded)) return;
    deepStrictEqual(parseJson(literal, { numbers: 'double' }), { ok: true, value: rounded });
  });

  it.each(['1E400', '-1e309', `1${'0'.repeat(310)}`, `1${'0'.repeat(310)}.5`])(
    'refuses the overflowing %s in both modes',
    (literal) => {
      expect(refusal(literal).code).toBe('number-not-representable');
      expect(refusal(literal, { numbers: 'double' }).code).toBe('number-not-representable');
    },
  );

  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992],
    ['9007199254740994', 9007199254740994],
    ['-999999999999999', -999999999999999],
    ['100000000000000000000', 1e20],
    ['12345678901234567000', 12345678901234567000],
    ['1e21', 1e21],
    ['9007199254740993.0', 9007199254740992],
    ['0.1000000000000000055511151231257827', 0.1],
    ['1e-400', 0],
    ['1E+2', 100],
  ])('reads %s', (literal, value) => {
    deepStrictEqual(parseJson(literal), { ok: true, value });
  });

  it.each(['-0', '-0.0', '-0e9', '-1e-400'])('reads %s as 0, which has one form', (literal) => {
    deepStrictEqual(parseJson(literal), { ok: true, value: 0 });
  });

  it('nests as deep as allowed and no deeper', () => {
    expect(parseJson(nested(LIMITS.jsonDepth)).ok).toBe(true);
    const problem = refusal(nested(LIMITS.jsonDepth + 1));
    expect(problem.code).toBe('too-deep');
    expect(place(problem)).toBe('/0'.repeat(LIMITS.jsonDepth));
    expect(refusal('{"a":[{}]}', { maxDepth: 2 }).code).toBe('too-deep');
    expect(parseJson('[[1],[2],{"a":[]}]', { maxDepth: 3 }).ok).toBe(true);
  });

  it('refuses deep texts without a stack overflow, whatever depth is asked for', () => {
    expect(refusal(nested(5000)).code).toBe('too-deep');
    expect(refusal(nested(1_000_000), { maxDepth: Infinity }).code).toBe('too-deep');
    expect(refusal('{"a":'.repeat(400_000)).code).toBe('too-deep');
    expect(parseJson(nested(512), { maxDepth: 512 }).ok).toBe(true);
  });

  it('reads texts of the largest size', () => {
    const keys = Array.from({ length: 150_000 }, (_, index) => `"${index * 7919}":${index}`);
    const texts = [
      `{${keys.join(',')}}`,
      JSON.stringify('\n"é😀'.repeat(200_000)),
      `[${'"\\u0041\\ud83d\\ude00",'.repeat(80_000)}0]`,
      `0.${'1'.repeat(LIMITS.requestBytes)}`,
      `${' \n'.repeat(LIMITS.requestBytes / 2)}[]`,
    ];
    for (const text of texts) {
      const outcome = parseJson(text);
      expect(outcome.ok && JSON.stringify(outcome.value)).toBe(JSON.stringify(JSON.parse(text)));
    }
  });

  it('keeps what it repeats of the text short', () => {
    const key = 'k'.repeat(100_000);
    const problem = refusal(`{"a":{"${key}":1,"${key}":2}}`);
    expect(problem.code).toBe('duplicate-key');
    expect(JSON.stringify(problem).length).toBeLessThan(500);
    expect(place(problem)).toBe('/a');
    expect(JSON.stringify(refusal('7'.repeat(300))).length).toBeLessThan(500);
  });
});
