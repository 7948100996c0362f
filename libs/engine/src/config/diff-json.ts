import { isJsonObject, joinPointer } from '@pawl/contracts';
import type { JsonValue } from '@pawl/contracts';
import { isEqual } from '@pawl/domain';

export type DiffOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: JsonValue }
  | { readonly op: 'remove'; readonly path: string };

/**
 * A JSON Patch (RFC 6902) that turns `from` into `to`. Objects are compared key by key; of arrays the
 * common start and end stay and the middle is replaced item by item, so the time is linear in the
 * sizes times the depth (a shortest edit script would be quadratic). Where the paths of a finer patch
 * would have too many characters together, one operation replaces the whole.
 */
export function diffJson(from: JsonValue, to: JsonValue): DiffOperation[] {
  const operations: DiffOperation[] = [];
  const patch = { operations, left: MAX_PATHS };
  compare(from, to, '', patch);
  return patch.left < 0 ? [{ op: 'replace', path: '', value: to }] : operations;
}

/** Characters that the paths of one patch may have together. */
const MAX_PATHS = 16 * 1024 * 1024;

interface Patch {
  readonly operations: DiffOperation[];
  /** Characters that paths may still take. */
  left: number;
}

function put(patch: Patch, operation: DiffOperation): void {
  patch.left -= operation.path.length;
  if (patch.left >= 0) patch.operations.push(operation);
}

function compare(from: JsonValue, to: JsonValue, path: string, into: Patch): void {
  into.left -= path.length;
  if (into.left < 0 || isEqual(from, to)) return;
  if (isJsonObject(from) && isJsonObject(to)) {
    for (const key of Object.keys(from).sort()) {
      const next = Object.hasOwn(to, key) ? to[key] : undefined;
      if (next === undefined) put(into, { op: 'remove', path: joinPointer(path, key) });
      else compare(from[key] as JsonValue, next, joinPointer(path, key), into);
    }
    for (const key of Object.keys(to).sort()) {
      if (Object.hasOwn(from, key)) continue;
      put(into, { op: 'add', path: joinPointer(path, key), value: to[key] as JsonValue });
    }
  } else if (Array.isArray(from) && Array.isArray(to)) {
    compareArrays(from as readonly JsonValue[], to as readonly JsonValue[], path, into);
  } else {
    put(into, { op: 'replace', path, value: to });
  }
}

function compareArrays(
  from: readonly JsonValue[],
  to: readonly JsonValue[],
  path: string,
  into: Patch,
): void {
  const shorter = Math.min(from.length, to.length);
  let start = 0;
  while (start < shorter && isEqual(from[start] as JsonValue, to[start] as JsonValue)) start += 1;
  let end = 0;
  while (
    end < shorter - start &&
    isEqual(from[from.length - 1 - end] as JsonValue, to[to.length - 1 - end] as JsonValue)
  ) {
    end += 1;
  }
  const common = shorter - end;
  for (let index = start; index < common; index += 1) {
    const at = joinPointer(path, index);
    compare(from[index] as JsonValue, to[index] as JsonValue, at, into);
  }
  for (let index = from.length - end - 1; index >= common; index -= 1) {
    put(into, { op: 'remove', path: joinPointer(path, index) });
  }
  for (let index = common; index < to.length - end; index += 1) {
    put(into, { op: 'add', path: joinPointer(path, index), value: to[index] as JsonValue });
  }
}
