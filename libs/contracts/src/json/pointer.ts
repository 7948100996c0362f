/**
 * Appends one reference token to a JSON Pointer (RFC 6901), escaping `~` as `~0` and `/` as `~1`.
 * The pointer of the whole document is the empty string.
 */
export function joinPointer(base: string, key: string | number): string {
  if (typeof key === 'number') return `${base}/${key}`;
  const escaped =
    key.includes('~') || key.includes('/') ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key;
  return `${base}/${escaped}`;
}
