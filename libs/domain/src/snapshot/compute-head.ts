import { canonicalize, snapshotHash, utf8Length } from '@pawl/contracts';
import type { AddressText, JsonObject, Sha256, SnapshotInput } from '@pawl/contracts';
import { snapshotBody } from './build-snapshot.js';
import type { SnapshotHead } from './snapshot-head.js';

interface HeadOptions {
  /** `<name>/<id>`. */
  readonly installation: string;
  readonly address: AddressText;
  readonly generation: number;
  readonly version: number;
  /** In merge order. */
  readonly inputs: readonly SnapshotInput[];
  /** The effective document of the inputs; `null`: absent. */
  readonly document: JsonObject | null;
  readonly sha256: Sha256;
}

export type ComputeHeadOptions = HeadOptions;

/** The effective document's canonical text (empty when absent), and the head that names it. */
export interface ComputedHead {
  readonly head: SnapshotHead;
  readonly text: string;
}

/**
 * Computes an address's snapshot from its inputs and their effective document: a pure function, so
 * that the same inputs give the same hash on every node.
 */
export function computeHead(options: ComputeHeadOptions): ComputedHead {
  const { document, sha256 } = options;
  const text = document === null ? '' : canonicalize(document);
  const variant = { hash: sha256(text), size: utf8Length(text), absent: document === null };
  return { head: headWith(variant, options), text };
}

/** The head of a document whose hash and size are known already. */
export function headWith(variant: SnapshotHead['variant'], options: HeadOptions): SnapshotHead {
  const { installation, address, generation, version, inputs, document, sha256 } = options;
  const unhashed = { address, generation, version, inputs, variant };
  const hash = snapshotHash(snapshotBody(installation, unhashed, document), sha256);
  return { ...unhashed, hash };
}
