import { FORMAT, LIMITS, STABLE_COHORT } from '@pawl/contracts';
import type { HashedSnapshot, JsonObject, Snapshot, SnapshotVariant } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import type { SnapshotHead } from './snapshot-head.js';

export interface BuildSnapshotOptions {
  /** `<name>/<id>`. */
  readonly installation: string;
  readonly head: SnapshotHead;
  /** Fencing token of the owner that publishes. */
  readonly token: bigint;
  /** RFC 3339 with milliseconds. */
  readonly publishedAt: string;
  /** The effective document that `head` was computed from; `null`: absent. */
  readonly document: JsonObject | null;
}

/** The message that is published. Its hash depends on neither token nor time. */
export function buildSnapshot(options: BuildSnapshotOptions): Snapshot {
  const { installation, head, token, publishedAt, document } = options;
  assert(head.variant.absent === (document === null), 'a snapshot is built from its own document');
  const body = snapshotBody(installation, head, document);
  return { ...body, fencingToken: token.toString(), publishedAt, hash: head.hash };
}

/** The part of a snapshot that its hash covers. Documents up to `LIMITS.inlineBytes` are inside. */
export function snapshotBody(
  installation: string,
  head: Omit<SnapshotHead, 'hash'>,
  document: JsonObject | null,
): HashedSnapshot {
  return {
    format: FORMAT,
    installation,
    address: head.address,
    generation: head.generation,
    version: head.version,
    inputs: head.inputs,
    releases: [],
    variants: { [STABLE_COHORT]: stableVariant(head.variant, document) },
  };
}

function stableVariant(
  { hash, size }: SnapshotHead['variant'],
  document: JsonObject | null,
): SnapshotVariant {
  if (document === null) return { hash, size, absent: true };
  return size <= LIMITS.inlineBytes ? { hash, size, inline: document } : { hash, size };
}
