import { describe, expect, it } from 'vitest';
import { ManualTime } from '@pawl/kernel';
import type { JsonObject } from '@pawl/contracts';
import type { AppliedEvent, ScopeEvents } from '../types.js';
import { deepFreeze } from '../applier/deep-freeze.js';
import { changedPaths, sameJson } from './diff-documents.js';
import { escapeKey, parsePath, valueAt } from './path.js';
import { ScopeHandle } from './scope-handle.js';

function swap(
  handle: ScopeHandle<unknown>,
  version: number,
  document: JsonObject | undefined,
): void {
  const head = { installation: 'main/1', generation: 1, version, hash: 'x', inputs: [] };
  const previous = handle.version === 0 ? null : handle.version;
  handle.swap({ head, document, previous, lowered: false });
}

describe('path', () => {
  it.each([
    ['a', ['a']],
    ['a.b.c', ['a', 'b', 'c']],
    ['', ['']],
    ['a..b', ['a', '', 'b']],
    ['a\\.b.c', ['a.b', 'c']],
    ['a\\\\.b', ['a\\', 'b']],
  ])('%j names %j', (path, keys) => {
    expect(parsePath(path)).toEqual(keys);
    expect(keys.map(escapeKey).join('.')).toBe(path);
  });

  it('finds own properties and array items only', () => {
    const document = { a: [{ b: 1 }], text: 'x', constructor: 'mine', 'x.y': 2 };
    const at = (path: string) => valueAt(document, parsePath(path));
    expect(at('a.0.b')).toBe(1);
    expect(at('x\\.y')).toBe(2);
    expect(at('constructor')).toBe('mine');
    for (const path of [
      'a.constructor',
      'a.length',
      'a.00',
      'a.-1',
      'a.1',
      'text.length',
      'toString',
    ]) {
      expect(at(path)).toBeUndefined();
    }
    expect(valueAt(undefined, ['a'])).toBeUndefined();
  });
});

describe('changedPaths', () => {
  it('names the deepest keys, arrays as a whole', () => {
    const before = { a: { b: 1, c: [1, 2], same: { x: 1 } }, gone: 1, 'k.k': 1 };
    const after = { a: { b: 2, c: [1, 3], same: { x: 1 }, d: null }, 'k.k': 2 };
    expect(changedPaths(before, after, 10)).toEqual(['a.b', 'a.c', 'a.d', 'k\\.k', 'gone']);
    expect(changedPaths(before, after, 2)).toEqual(['a.b', 'a.c']);
    expect(changedPaths(undefined, { a: 1 }, 10)).toEqual(['a']);
    expect(changedPaths({ a: { b: 1 } }, { a: 1 }, 10)).toEqual(['a']);
  });

  it('compares values whatever the order of keys', () => {
    expect(sameJson({ a: 1, b: [{}] }, { b: [{}], a: 1 })).toBe(true);
    for (const [a, b] of [
      [{ a: 1 }, { b: 1 }],
      [[1], [1, 2]],
      [[], {}],
      [null, {}],
      [{ a: null }, {}],
      [0, '0'],
    ] as const) {
      expect(sameJson(a, b)).toBe(false);
    }
  });
});

describe('deepFreeze', () => {
  it('freezes at every depth and refuses what no document holds', () => {
    const value = deepFreeze({ a: [{ b: {} }] });
    expect(Object.isFrozen(value.a[0]?.b)).toBe(true);
    expect(() => deepFreeze(JSON.parse('{"a":{"__proto__":{}}}') as JsonObject)).toThrow(TypeError);
    const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as never;
    expect(() => deepFreeze(nested(64))).not.toThrow();
    expect(() => deepFreeze(nested(65))).toThrow(TypeError);
  });
});

describe('ScopeHandle', () => {
  it('reads by path with defaults, anew after each swap', () => {
    const handle = new ScopeHandle<{ a: { b: number | null } }>('acme', new ManualTime());
    expect(handle.get('a.b', 7)).toBe(7);
    swap(handle, 1, { a: { b: 1 } });
    expect([handle.get('a.b'), handle.get('a.b', 7), handle.get('a.c', 7)]).toEqual([1, 1, 7]);
    expect(handle.get('a.c', 8)).toBe(8);
    expect(handle.get('a.c')).toBeUndefined();
    swap(handle, 2, { a: { b: null, c: 0 } });
    expect([handle.get('a.b', 7), handle.get('a.b', 7), handle.get('a.c', 7)]).toEqual([
      null,
      null,
      0,
    ]);
    swap(handle, 3, undefined);
    expect(handle.current).toBeUndefined();
    expect(handle.get('a.b', 7)).toBe(7);
  });

  it('tells listeners what changed, and watchers only when their value did', () => {
    const handle = new ScopeHandle('acme', new ManualTime());
    swap(handle, 1, { a: { b: 1 }, c: 1 });
    const applied: AppliedEvent[] = [];
    const seen: unknown[] = [];
    handle.on('applied', (event) => applied.push(event));
    handle.watch('a', (now, before) => seen.push([now, before]));
    const stop = handle.watch('c', () => seen.push('c'));
    swap(handle, 2, { a: { b: 2 }, c: 1 });
    stop();
    swap(handle, 3, { a: { b: 2 }, c: 2 });
    expect(applied).toEqual([
      { version: 2, previous: 1, changedPaths: ['a.b'], lowered: false },
      { version: 3, previous: 2, changedPaths: ['c'], lowered: false },
    ]);
    expect(seen).toEqual([[{ b: 2 }, { b: 1 }]]);
  });

  it('announces absence', () => {
    const handle = new ScopeHandle('acme', new ManualTime());
    const absent: unknown[] = [];
    swap(handle, 1, { a: 1 });
    handle.on('absent', (event) => absent.push(event));
    swap(handle, 2, undefined);
    expect(absent).toEqual([{ version: 2 }]);
  });

  it('survives listeners and watchers that throw or reject, and tells', async () => {
    const handle = new ScopeHandle('acme', new ManualTime());
    const codes: string[] = [];
    handle.on('error', ({ code }) => codes.push(code));
    handle.on('error', () => {
      throw new Error('even the error listener');
    });
    const calls: string[] = [];
    handle.on('applied', () => {
      throw new Error('first');
    });
    handle.on('applied', () => Promise.reject(new Error('later')) as never);
    handle.on('applied', () => calls.push('second'));
    handle.watch('a', () => {
      throw new Error('watcher');
    });
    handle.watch('a', () => calls.push('watcher'));
    swap(handle, 1, { a: 1 });
    await Promise.resolve();
    expect(calls).toEqual(['second', 'watcher']);
    expect(codes).toEqual(['callback-failed', 'callback-failed', 'callback-failed']);
  });

  it('keeps the newest rejections and errors for the first listener', async () => {
    const handle = new ScopeHandle('acme', new ManualTime());
    for (let version = 1; version <= 20; version += 1) {
      handle.events.emit('rejected', { version, reason: '' });
    }
    const first: ScopeEvents['rejected'][] = [];
    const second: ScopeEvents['rejected'][] = [];
    const stop = handle.on('rejected', (event) => first.push(event));
    handle.on('rejected', (event) => second.push(event));
    await Promise.resolve();
    expect(first.map(({ version }) => version)).toEqual([...Array(16).keys()].map((n) => n + 5));
    stop();
    handle.events.emit('rejected', { version: 21, reason: '' });
    expect(first).toHaveLength(16);
    expect(second).toEqual([{ version: 21, reason: '' }]);
  });
});
