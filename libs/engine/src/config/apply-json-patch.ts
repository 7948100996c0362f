import { done, isJsonObject, LIMITS, refused } from '@pawl/contracts';
import type { JsonValue, Outcome, ProblemCode } from '@pawl/contracts';
import { isEqual } from '@pawl/domain';

/** Operations in one patch. */
const MAX_OPERATIONS = 1_000;
/** Keys, items and characters that the copies of one patch may add together. */
const MAX_COPIED = LIMITS.requestBytes;

type Container = Record<string, JsonValue> | JsonValue[];
interface Operation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  readonly path: readonly string[];
  readonly from: readonly string[];
  readonly value: JsonValue;
}

const MEMBERS: Readonly<Record<Operation['op'], readonly ('value' | 'from')[]>> = {
  add: ['value'],
  replace: ['value'],
  test: ['value'],
  remove: [],
  move: ['from'],
  copy: ['from'],
};

class PatchFailure extends Error {
  constructor(
    readonly code: ProblemCode,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Applies a JSON Patch (RFC 6902) to a copy of `target`. Takes time linear in target and patch, and
 * only own properties count, so `constructor` is a key like any other. Problems: `malformed-request`
 * for what is no patch, `forbidden-key`, `patch-failed` where it does not apply, `too-large` where it
 * copies without measure.
 */
export function applyJsonPatch(target: JsonValue, patch: JsonValue): Outcome<JsonValue> {
  if (!isJsonArray(patch)) {
    return refused('malformed-request', 'a JSON patch is an array of operations');
  }
  if (patch.length > MAX_OPERATIONS) {
    return refused('too-large', `a JSON patch has at most ${MAX_OPERATIONS} operations`);
  }
  const state = { root: deepCopy(target), copied: 0 };
  for (const [index, raw] of patch.entries()) {
    try {
      applyOperation(state, readOperation(raw));
    } catch (error) {
      if (!(error instanceof PatchFailure)) throw error;
      return refused(error.code, `operation ${index} of the patch ${error.message}`);
    }
  }
  if (!isWithinDepth(state.root, LIMITS.jsonDepth)) {
    return refused('too-deep', `the patched document nests deeper than ${LIMITS.jsonDepth} levels`);
  }
  return done(state.root);
}

function isJsonArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isWithinDepth(value: JsonValue, left: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (left === 0) return false;
  return Object.values<JsonValue>(value).every((inner) => isWithinDepth(inner, left - 1));
}

function applyOperation(state: { root: JsonValue; copied: number }, operation: Operation): void {
  const { op, path, from, value } = operation;
  switch (op) {
    case 'add':
      state.root = add(state.root, path, value);
      return;
    case 'remove':
      state.root = remove(state.root, path).root;
      return;
    case 'replace':
      state.root = replace(state.root, path, value);
      return;
    case 'move': {
      if (path.length > from.length && from.every((token, index) => token === path[index])) {
        throw new PatchFailure('patch-failed', 'moves a value into itself');
      }
      const taken = remove(state.root, from);
      state.root = add(taken.root, path, taken.value);
      return;
    }
    case 'copy': {
      const source = read(state.root, from);
      state.copied += measure(source, MAX_COPIED - state.copied);
      if (state.copied > MAX_COPIED) throw new PatchFailure('too-large', 'copies too much');
      state.root = add(state.root, path, deepCopy(source));
      return;
    }
    case 'test':
      if (!isEqual(read(state.root, path), value)) {
        throw new PatchFailure('patch-failed', `tests ${show(path)}, and it is another value`);
      }
  }
}

function readOperation(raw: JsonValue): Operation {
  const malformed = (text: string): never => {
    throw new PatchFailure('malformed-request', text);
  };
  if (!isJsonObject(raw)) return malformed('is not an object');
  const { op } = raw;
  if (typeof op !== 'string' || !Object.hasOwn(MEMBERS, op)) {
    return malformed(`has an unknown op ${JSON.stringify(op ?? null)}`);
  }
  const known = op as Operation['op'];
  const needsValue = MEMBERS[known].includes('value');
  if (needsValue && !Object.hasOwn(raw, 'value')) return malformed('lacks "value"');
  return {
    op: known,
    path: readPointer(raw, 'path'),
    from: MEMBERS[known].includes('from') ? readPointer(raw, 'from') : [],
    value: raw['value'] ?? null,
  };
}

function readPointer(raw: Readonly<Record<string, JsonValue>>, member: string): string[] {
  const pointer = Object.hasOwn(raw, member) ? raw[member] : undefined;
  if (typeof pointer !== 'string' || !/^(?:\/(?:[^~/]|~[01])*)*$/.test(pointer)) {
    throw new PatchFailure('malformed-request', `has no JSON Pointer as "${member}"`);
  }
  const tokens = pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (tokens.includes('__proto__')) {
    throw new PatchFailure('forbidden-key', 'names the key "__proto__"');
  }
  return tokens;
}

function read(root: JsonValue, path: readonly string[]): JsonValue {
  let value = root;
  for (const [depth, token] of path.entries()) {
    value = child(containerOf(value, path.slice(0, depth)), token, path);
  }
  return value;
}

/** The container that holds the last token of a path that is not empty. */
function parentOf(root: JsonValue, path: readonly string[]): [Container, string] {
  const above = path.slice(0, -1);
  return [containerOf(read(root, above), above), path.at(-1) ?? ''];
}

function containerOf(value: JsonValue, path: readonly string[]): Container {
  if (typeof value === 'object' && value !== null) return value as Container;
  throw new PatchFailure('patch-failed', `goes through ${show(path)}, which holds nothing inside`);
}

function child(container: Container, token: string, path: readonly string[]): JsonValue {
  if (Array.isArray(container)) return container[indexOf(container, token, path)] ?? null;
  const value = Object.hasOwn(container, token) ? container[token] : undefined;
  if (value === undefined) throw missing(path);
  return value;
}

function indexOf(array: readonly JsonValue[], token: string, path: readonly string[]): number {
  const index = /^(?:0|[1-9][0-9]{0,9})$/.test(token) ? Number(token) : array.length;
  if (index >= array.length) throw missing(path);
  return index;
}

function add(root: JsonValue, path: readonly string[], value: JsonValue): JsonValue {
  if (path.length === 0) return value;
  const [parent, token] = parentOf(root, path);
  if (Array.isArray(parent)) {
    const isEnd = token === '-' || token === String(parent.length);
    parent.splice(isEnd ? parent.length : indexOf(parent, token, path), 0, value);
  } else {
    parent[token] = value;
  }
  return root;
}

function remove(
  root: JsonValue,
  path: readonly string[],
): { readonly root: JsonValue; readonly value: JsonValue } {
  if (path.length === 0) return { root: null, value: root };
  const [parent, token] = parentOf(root, path);
  const value = child(parent, token, path);
  if (Array.isArray(parent)) parent.splice(indexOf(parent, token, path), 1);
  else delete parent[token];
  return { root, value };
}

function replace(root: JsonValue, path: readonly string[], value: JsonValue): JsonValue {
  if (path.length === 0) return value;
  const [parent, token] = parentOf(root, path);
  child(parent, token, path);
  if (Array.isArray(parent)) parent[indexOf(parent, token, path)] = value;
  else parent[token] = value;
  return root;
}

function missing(path: readonly string[]): PatchFailure {
  return new PatchFailure('patch-failed', `names ${show(path)}, which is not there`);
}

function show(path: readonly string[]): string {
  return JSON.stringify(
    path.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
  );
}

/** Counts keys, items and characters, and stops once it is over `limit`. */
function measure(value: JsonValue, limit: number): number {
  let total = 0;
  const waiting: JsonValue[] = [value];
  while (total <= limit) {
    const next = waiting.pop();
    if (next === undefined) break;
    total += typeof next === 'string' ? next.length + 1 : 1;
    if (typeof next !== 'object' || next === null) continue;
    if (!Array.isArray(next)) total += Object.keys(next).join('').length;
    for (const inner of Object.values(next) as JsonValue[]) waiting.push(inner);
  }
  return total;
}

function deepCopy(value: JsonValue): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}
