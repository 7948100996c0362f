import type { AddressImage, Fence } from '@pawl/engine';
import type { Scheduler } from '@pawl/kernel';
import type { FencedStatements } from '../sessions/fenced-statements.js';
import { decodeAddress } from './decode-address.js';
import type { AddressRow } from './decode-address.js';
import { PacedParser } from './paced-parser.js';

/** Addresses read at a time, at most. */
const PAGE_ROWS = 128;
/**
 * Bytes of long texts read at a time, at most, unless a single address has more: its newest, its stable
 * and its candidate's definition, each with a schema, and its releases come to 7 MiB at the limits.
 */
export const PAGE_BYTES = 4 * 1024 * 1024;

/** A query of `queries.ts` that answers one page; its own parameters start at $7. */
export interface PageQuery {
  readonly name: string;
  readonly body: string;
  readonly values: readonly unknown[];
}

type PageRow = AddressRow & { readonly listed: number };

/** As read from the rows of addresses: what they are pinned to, others hold. */
export type AddressPart = Omit<AddressImage, 'pinned'>;

/** Reads addresses page by page, in their order, and parses them turn by turn. */
export async function loadAddresses(
  statements: FencedStatements,
  scheduler: Scheduler,
  fence: Fence,
  query: PageQuery,
): Promise<AddressPart[]> {
  const images: AddressPart[] = [];
  const parser = new PacedParser(scheduler);
  for (;;) {
    const rows = await statements.read<PageRow>(fence, {
      name: query.name,
      body: query.body,
      order: 'address',
      values: [images.at(-1)?.address ?? '', PAGE_ROWS, PAGE_BYTES, ...query.values],
    });
    for (const row of rows) images.push(await decodeAddress(row, parser));
    const listed = rows[0]?.listed ?? 0;
    if (listed < PAGE_ROWS && rows.length === listed) return images;
  }
}
