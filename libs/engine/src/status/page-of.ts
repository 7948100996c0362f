import type { Page } from '@pawl/contracts';
import type { PageQuery } from '../config-engine.js';

/** Items after the cursor, which is the key of the last item of the page before. */
export function pageOf<T>(
  items: readonly T[],
  query: PageQuery,
  key: (item: T) => string,
): Page<T> {
  const { cursor, limit } = query;
  const rest = cursor === undefined ? items : items.filter((item) => key(item) > cursor);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  if (rest.length <= limit || last === undefined) return { items: page };
  return { items: page, next: key(last) };
}
