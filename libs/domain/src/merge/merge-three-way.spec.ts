import type { JsonObject } from '@pawl/contracts';
import { describe, expect, it } from 'vitest';
import { mergeThreeWay } from './merge-three-way.js';
import type { MergeSide } from './merge-three-way.js';
import { pointerSet } from './pointer-set.js';

function merge(
  [base, theirs, ours]: readonly [
    JsonObject | undefined,
    JsonObject | undefined,
    JsonObject | undefined,
  ],
  more: { local?: string[]; resolve?: Record<string, MergeSide>; limit?: number } = {},
) {
  const { local = [], resolve = {}, limit = 100 } = more;
  return mergeThreeWay({
    ...{ base, theirs, ours, limit },
    local: pointerSet(local.map((pointer) => [pointer, true])),
    resolve: pointerSet(Object.entries(resolve)),
  });
}

describe('a three-way merge', () => {
  it('makes on ours what was changed, added and removed, and leaves the rest', () => {
    const base = { a: 1, b: { x: 1, y: 1 }, gone: true };
    const theirs = { a: 2, b: { x: 1, y: 2 }, more: [1] };
    const ours = { a: 1, b: { x: 7, y: 1 }, gone: true, own: null };
    const { document, conflicts } = merge([base, theirs, ours]);
    expect(document).toEqual({ a: 2, b: { x: 7, y: 2 }, more: [1], own: null });
    expect(conflicts.count).toBe(0);
  });

  it('tells null from nothing, and arrays as one value', () => {
    const { document, conflicts } = merge([
      { list: [1], n: null, m: 1 },
      { list: [1, 2], m: null },
      { list: [0, 1], n: 5 },
    ]);
    expect(document).toEqual({ list: [0, 1], n: 5 });
    expect(conflicts.items).toEqual([
      { pointer: '/list', base: [1], theirs: [1, 2], ours: [0, 1] },
      { pointer: '/m', base: 1, theirs: null, ours: undefined },
      { pointer: '/n', base: null, theirs: undefined, ours: 5 },
    ]);
  });

  it('merges what both added key by key', () => {
    const { document, conflicts } = merge([{}, { a: { x: 1, z: 1 } }, { a: { y: 2, z: 2 } }]);
    expect(document).toEqual({ a: { x: 1, y: 2, z: 2 } });
    expect(conflicts.items.map(({ pointer }) => pointer)).toEqual(['/a/z']);
  });

  it('takes the directive that deletes for a value, the one that replaces for a key', () => {
    const deleted = { a: { $pawl: 'delete' } };
    expect(merge([{ a: { x: 1 } }, deleted, { a: { x: 1, y: 2 } }]).conflicts.count).toBe(1);
    expect(merge([{ a: { x: 1 } }, deleted, { a: { x: 1 } }]).document).toEqual(deleted);
    const replaced = { a: { $pawl: 'replace', x: 1 } };
    expect(merge([{ a: { x: 1 } }, replaced, { a: { x: 1, y: 2 } }]).document).toEqual({
      a: { $pawl: 'replace', x: 1, y: 2 },
    });
  });

  it('merges definitions with and without documents', () => {
    expect(merge([undefined, { a: 1 }, undefined]).document).toEqual({ a: 1 });
    expect(merge([{ a: 1 }, undefined, { a: 1 }]).document).toBeUndefined();
    expect(merge([{ a: 1 }, undefined, { a: 2 }]).conflicts.items).toMatchObject([{ pointer: '' }]);
    expect(merge([undefined, { a: 1 }, { a: 1, b: 1 }]).document).toEqual({ a: 1, b: 1 });
  });
});

describe('what is local', () => {
  const local = ['/replicas', '/database/url'];

  it('stays, there or not, and is told where the source changed it', () => {
    const { document, kept } = merge(
      [
        { replicas: 1, database: { url: 'a', pool: 1 } },
        { replicas: 2, database: { url: 'b', pool: 2 } },
        { database: { url: 'prod', pool: 1 } },
      ],
      { local },
    );
    expect(document).toEqual({ database: { url: 'prod', pool: 2 } });
    expect(kept).toEqual({ items: ['/replicas', '/database/url'], count: 2 });
  });

  it('does not come along with the object around it, nor go with it', () => {
    const added = merge([{}, { database: { url: 'a', pool: 1 } }, {}], { local });
    expect(added.document).toEqual({ database: { pool: 1 } });
    const ours = { database: { url: 'prod', pool: 1 } };
    const removed = merge([{ database: { url: 'a', pool: 1 } }, {}, ours], { local });
    expect(removed.document).toEqual({ database: { url: 'prod' } });
  });

  it('may be all of it', () => {
    const { document, kept } = merge([{ a: 1 }, { a: 2 }, { a: 3 }], { local: [''] });
    expect([document, kept.items]).toEqual([{ a: 3 }, ['']]);
  });

  it('keeps the object around it, which nothing else can take the place of', () => {
    const ours = { database: { url: 'prod' } };
    const { document, kept, conflicts } = merge([{ database: {} }, { database: 'none' }, ours], {
      local,
    });
    expect([document, kept.items, conflicts.count]).toEqual([ours, ['/database'], 0]);
  });
});

it('decides a conflict by the longest pointer at or above it, and counts those', () => {
  const three = [{}, { a: { x: 1, y: 1 }, b: 1 }, { a: { x: 2, y: 2 }, b: 2 }] as const;
  const { document, conflicts, resolved } = merge(three, {
    resolve: { '/a': 'theirs', '/a/y': 'ours', '/nothing': 'theirs' },
  });
  expect(document).toEqual({ a: { x: 1, y: 2 }, b: 2 });
  expect(conflicts.items).toEqual([{ pointer: '/b', base: undefined, theirs: 1, ours: 2 }]);
  expect(resolved).toBe(2);
});

it('tells as many as it may, and counts the rest', () => {
  const of = (n: number): JsonObject =>
    Object.fromEntries(Array.from({ length: 9 }, (_, key) => [`k${key}`, n]));
  const { conflicts } = merge([{}, of(1), of(2)], { limit: 2 });
  expect([conflicts.items.length, conflicts.count]).toEqual([2, 9]);
  const long = 'k'.repeat(900_000);
  const deep = (n: number): JsonObject => ({ [long]: of(n) });
  const bounded = merge([{}, deep(1), deep(2)]).conflicts;
  expect([bounded.items.length, bounded.count]).toEqual([2, 9]);
});
