import { isJsonObject } from '@pawl/contracts';
import type { JsonValue } from '@pawl/contracts';
import { plain } from '../output.js';

export interface PatchOperation {
  readonly op?: unknown;
  readonly path?: unknown;
  readonly value?: unknown;
}

/** Lines that are shown of one patch. */
const SHOWN = 200;
/** Characters of a value that are shown. */
const VALUE = 100;

/**
 * A patch as people read it, a line per place: what is added (`+`), gone (`-`) or another (`~`), from what to
 * what. `before` is what the patch is over, whose places it names.
 */
export function patchLines(before: unknown, patch: readonly PatchOperation[]): string {
  const lines = patch.slice(0, SHOWN).map((operation) => lineOf(before, operation));
  if (patch.length > SHOWN) lines.push(`… and ${patch.length - SHOWN} more`);
  return lines.map((line) => `  ${line}\n`).join('');
}

function lineOf(before: unknown, { op, path, value }: PatchOperation): string {
  const at = typeof path === 'string' ? path : '';
  const place = shownPlace(at);
  if (op === 'add') return `+ ${place}  ${valueText(value)}`;
  const former = valueText(valueAt(before as JsonValue, at));
  return op === 'remove' ? `- ${place}  ${former}` : `~ ${place}  ${former} → ${valueText(value)}`;
}

/** A pointer without what a terminal would obey. */
export function shownPlace(pointer: string): string {
  return pointer === '' ? '(all)' : plain(pointer);
}

/** A value on one line, shortened; `undefined`: there is none. */
export function valueText(value: unknown): string {
  if (value === undefined) return '(nothing)';
  const text = JSON.stringify(value).replaceAll('\u007f', ' ');
  return text.length > VALUE ? `${text.slice(0, VALUE)}…` : text;
}

function valueAt(document: JsonValue, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = document;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(value)) value = (value as readonly JsonValue[])[Number(key)];
    else value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }
  return value;
}
