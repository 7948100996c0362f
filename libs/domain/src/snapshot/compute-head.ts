import { canonicalize, snapshotHash, utf8Length } from '@pawl/contracts';
import type {
  AddressText,
  JsonObject,
  Sha256,
  SnapshotInput,
  SnapshotRelease,
} from '@pawl/contracts';
import { snapshotBody } from './build-snapshot.js';
import type { DocumentOf } from './build-snapshot.js';
import type { SnapshotHead, VariantHead } from './snapshot-head.js';

export interface ComputeHeadOptions {
  /** `<name>/<id>`. */
  readonly installation: string;
  readonly address: AddressText;
  readonly generation: number;
  readonly version: number;
  /** In merge order. */
  readonly inputs: readonly SnapshotInput[];
  readonly releases: readonly SnapshotRelease[];
  /** Of the document that consumers in no cohort read. */
  readonly variant: VariantHead;
  /** Of those that the others read, by cohort. */
  readonly cohorts: Readonly<Record<string, VariantHead>>;
  readonly documentOf: DocumentOf;
  readonly sha256: Sha256;
}

/**
 * The head of an address's snapshot: a pure function, so that the same inputs give the same hash on
 * every node.
 */
export function computeHead(options: ComputeHeadOptions): SnapshotHead {
  const { installation, sha256, documentOf, ...unhashed } = options;
  const hash = snapshotHash(snapshotBody(installation, unhashed, documentOf), sha256);
  return { ...unhashed, hash };
}

/** Hash and size of an effective document, and its canonical text: empty when absent. */
export function computeVariant(
  document: JsonObject | null,
  sha256: Sha256,
): { readonly variant: VariantHead; readonly text: string } {
  const text = document === null ? '' : canonicalize(document);
  const variant = { hash: sha256(text), size: utf8Length(text), absent: document === null };
  return { variant, text };
}
