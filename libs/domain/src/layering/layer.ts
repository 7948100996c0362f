import type { AddressText, JsonObject } from '@pawl/contracts';

/** What one address on the way from the root contributes to an effective document. */
export interface Layer {
  readonly address: AddressText;
  /** Definition version. */
  readonly version: number;
  readonly author: string;
  /** As written: with directives, checked by `checkDocument`. */
  readonly document: JsonObject;
}
