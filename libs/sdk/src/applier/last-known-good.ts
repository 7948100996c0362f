import type { AddressText, HeldSnapshot, SnapshotVariant } from '@pawl/contracts';

/** A variant's content as it was fetched and verified; `text` is `''` when absent. */
export interface VariantContent {
  readonly hash: string;
  /** UTF-8 bytes of `text`. */
  readonly size: number;
  readonly absent: boolean;
  /** Canonical JSON. */
  readonly text: string;
}

export function absentContent({ hash, size }: SnapshotVariant): VariantContent {
  return { hash, size, absent: true, text: '' };
}

/** What a consumer keeps to start from when nobody answers: enough to judge the next snapshot too. */
export interface LastKnownGood {
  readonly address: AddressText;
  readonly head: HeldSnapshot;
  readonly content: VariantContent;
}
