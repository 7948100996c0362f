import type { AddressText, MergeOrigin } from '@pawl/contracts';
import { toSafeInteger } from '../entities/transformers.js';

/** The columns that say where a definition version came from; all `null` where it was not merged. */
export interface OriginRow {
  readonly origin_address: AddressText | null;
  readonly origin_version: string | null;
  readonly origin_base_version: string | null;
}

/** The origin, where there is one. */
export function decodeOrigin(row: OriginRow): { readonly origin?: MergeOrigin } {
  const { origin_address: address, origin_version: version, origin_base_version: base } = row;
  if (address === null || version === null || base === null) return {};
  const [from, baseVersion] = [toSafeInteger(version), toSafeInteger(base)];
  return { origin: { address, version: from, baseVersion } };
}
