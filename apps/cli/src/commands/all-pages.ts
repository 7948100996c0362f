import type { Page } from '@pawl/contracts';

/** Of a page, the most that a control plane gives. */
const LIMIT = 1_000;

/** Every item of a list, page by page. */
export async function* allPages<T>(
  read: (page: { readonly limit: number; readonly cursor?: string }) => Promise<Page<T>>,
): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const page = await read({ limit: LIMIT, ...(cursor === undefined ? {} : { cursor }) });
    yield* page.items;
    cursor = page.next;
  } while (cursor !== undefined);
}
