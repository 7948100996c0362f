import type { JsonValue } from '@pawl/contracts';

/** Whether containers nest deeper than `levels`; never recurses further than that itself. */
export function isDeeper(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const key of Object.keys(value)) {
    if (isDeeper((value as { readonly [key: string]: JsonValue })[key] as JsonValue, levels - 1)) {
      return true;
    }
  }
  return false;
}
