import { sha256 } from '@pawl/contracts/node';
import type { JsonValue, Outcome } from '@pawl/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyJsonPatch } from './apply-json-patch.js';
import { diffJson } from './diff-json.js';

const patched = (target: JsonValue, patch: JsonValue): Outcome<JsonValue> =>
  applyJsonPatch(target, patch);
const value = fc
  .jsonValue({ maxDepth: 4 })
  .map((one) => JSON.parse(JSON.stringify(one).replaceAll('__proto__', 'p')) as JsonValue);

describe('diffJson', () => {
  it('gives a patch that makes the one out of the other', () => {
    fc.assert(
      fc.property(value, value, (from, to) => {
        expect(patched(from, diffJson(from, to) as unknown as JsonValue)).toEqual({
          ok: true,
          value: to,
        });
      }),
      { numRuns: 500 },
    );
  });

  it('is empty for equal values, whatever the order of keys', () => {
    expect(diffJson({ a: [1, { b: 2 }], c: null }, { c: null, a: [1, { b: 2 }] })).toEqual([]);
  });

  it('replaces the whole where the paths of a finer patch would be endless', () => {
    const key = 'k'.repeat(400_000);
    const document = (n: number): JsonValue => ({
      [key]: Object.fromEntries(Array.from({ length: 100 }, (_, leaf) => [`l${leaf}`, n])),
    });
    expect(diffJson(document(1), document(2))).toEqual([
      { op: 'replace', path: '', value: document(2) },
    ]);
  });
});

describe('applyJsonPatch', () => {
  const target = { a: { b: [1, 2] }, 'm/n~': 1, constructor: { prototype: 0 } };

  it.each<[string, JsonValue, JsonValue]>([
    [
      'adds at an index',
      [{ op: 'add', path: '/a/b/1', value: 9 }],
      { ...target, a: { b: [1, 9, 2] } },
    ],
    [
      'adds at the end',
      [{ op: 'add', path: '/a/b/-', value: 9 }],
      { ...target, a: { b: [1, 2, 9] } },
    ],
    [
      'takes constructor for a key',
      [{ op: 'replace', path: '/constructor/prototype', value: 1 }],
      { ...target, constructor: { prototype: 1 } },
    ],
    [
      'unescapes pointers',
      [{ op: 'remove', path: '/m~1n~0' }],
      { a: { b: [1, 2] }, constructor: { prototype: 0 } },
    ],
    [
      'copies by value',
      [
        { op: 'copy', from: '/a', path: '/c' },
        { op: 'add', path: '/c/b/-', value: 3 },
      ],
      { ...target, c: { b: [1, 2, 3] } },
    ],
    ['replaces the whole', [{ op: 'replace', path: '', value: [] }], []],
  ])('%s', (_name, patch, expected) => {
    const before = sha256(JSON.stringify(target));
    expect(patched(target, patch)).toEqual({ ok: true, value: expected });
    expect(sha256(JSON.stringify(target))).toBe(before);
  });

  it.each<[string, JsonValue, string]>([
    ['no array', {}, 'malformed-request'],
    ['an unknown op', [{ op: 'frob', path: '' }], 'malformed-request'],
    ['no value', [{ op: 'add', path: '/x' }], 'malformed-request'],
    ['a bad pointer', [{ op: 'remove', path: 'a' }], 'malformed-request'],
    ['a bad escape', [{ op: 'remove', path: '/m~2' }], 'malformed-request'],
    ['__proto__', [{ op: 'add', path: '/__proto__/x', value: 1 }], 'forbidden-key'],
    ['what is not there', [{ op: 'remove', path: '/zz' }], 'patch-failed'],
    ['a leading zero', [{ op: 'replace', path: '/a/b/01', value: 1 }], 'patch-failed'],
    ['an index with a tail', [{ op: 'replace', path: '/a/b/1x', value: 1 }], 'patch-failed'],
    ['an inherited name', [{ op: 'remove', path: '/toString' }], 'patch-failed'],
    ['through a number', [{ op: 'add', path: '/m~1n~0/x', value: 1 }], 'patch-failed'],
    ['a test that fails', [{ op: 'test', path: '/a/b', value: [2, 1] }], 'patch-failed'],
    ['a move into itself', [{ op: 'move', from: '/a', path: '/a/b/0' }], 'patch-failed'],
  ])('refuses %s', (_name, patch, code) => {
    expect(patched(target, patch)).toMatchObject({ ok: false, problem: { code } });
  });

  it('refuses copies that double without end, and depth beyond the limit', () => {
    const doubling = Array.from({ length: 60 }, (_, n) => ({
      op: 'copy',
      from: '',
      path: `/x${n}`,
    }));
    expect(patched({ a: 'x'.repeat(1000) }, doubling)).toMatchObject({
      problem: { code: 'too-large' },
    });
    const deep = JSON.parse('{"a":'.repeat(60) + '1' + '}'.repeat(60)) as JsonValue;
    const nested = [
      { op: 'add', path: '/b', value: deep },
      { op: 'copy', from: '/b', path: `${'/a'.repeat(30)}` },
    ];
    expect(patched(deep, nested)).toMatchObject({ problem: { code: 'too-deep' } });
  });
});
