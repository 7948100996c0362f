import type { AddressText, SnapshotInput } from '@pawl/contracts';

/** What the truth keeps of an address's newest snapshot; contents are recomputed from the inputs. */
export interface SnapshotHead {
  readonly address: AddressText;
  readonly generation: number;
  readonly version: number;
  /** Hash of the whole snapshot, see `snapshotHash`. */
  readonly hash: string;
  readonly inputs: readonly SnapshotInput[];
  /** Hash and size of the stable variant; `absent` when no layer has a document. */
  readonly variant: { readonly hash: string; readonly size: number; readonly absent: boolean };
}
