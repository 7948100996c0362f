import type { AddressText, SnapshotInput, SnapshotRelease } from '@pawl/contracts';

/** Hash and size of an effective document's canonical bytes; `absent` when no layer has a document. */
export interface VariantHead {
  readonly hash: string;
  readonly size: number;
  readonly absent: boolean;
}

/** What the truth keeps of an address's newest snapshot; contents are recomputed from the inputs. */
export interface SnapshotHead {
  readonly address: AddressText;
  readonly generation: number;
  readonly version: number;
  /** Hash of the whole snapshot, see `snapshotHash`. */
  readonly hash: string;
  readonly inputs: readonly SnapshotInput[];
  /** What consumers in no cohort read. */
  readonly variant: VariantHead;
  /** The releases in stages under way on the way from the root, from there down. */
  readonly releases: readonly SnapshotRelease[];
  /** What the consumers of each other cohort read, by its key: one for every set of these releases. */
  readonly cohorts: Readonly<Record<string, VariantHead>>;
}
