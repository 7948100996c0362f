import { joinPointer } from '@pawl/contracts';

/**
 * The JSON Pointer of a place in a document that is named by its pointer (`/limits/maxItems`, empty
 * for the whole) or by a path as the SDK's `get` takes it: keys with dots between them
 * (`limits.maxItems`), where `\.` is a dot inside a key and `\\` a backslash.
 */
export function pointerOf(where: string): string {
  if (where === '' || where.startsWith('/')) return where;
  const keys = [''];
  for (const [part, escaped] of where.matchAll(/\\(.)|[^]/gsu)) {
    if (part === '.') keys.push('');
    else keys.push(`${keys.pop()}${escaped ?? part}`);
  }
  return keys.reduce(joinPointer, '');
}
