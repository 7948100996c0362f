/** Places in a document as a tree of keys: what is told of a place holds for all below it. */
export interface PointerSet<T> {
  readonly told: T | undefined;
  readonly below: ReadonlyMap<string, PointerSet<T>>;
}

interface Growing<T> extends PointerSet<T> {
  told: T | undefined;
  readonly below: Map<string, Growing<T>>;
}

/** Of JSON Pointers (RFC 6901), each with what is told of it; the last one counts of those that are the same. */
export function pointerSet<T>(
  places: Iterable<readonly [pointer: string, told: T]>,
): PointerSet<T> {
  const root = empty<T>();
  for (const [pointer, told] of places) {
    let at = root;
    for (const key of keysOf(pointer)) {
      const next = at.below.get(key) ?? empty<T>();
      at.below.set(key, next);
      at = next;
    }
    at.told = told;
  }
  return root;
}

function empty<T>(): Growing<T> {
  return { told: undefined, below: new Map() };
}

/** The keys of a JSON Pointer that is well formed, unescaped. */
function keysOf(pointer: string): string[] {
  const [, ...tokens] = pointer.split('/');
  return tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}
