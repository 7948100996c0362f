import { FORMAT, LIMITS, STABLE_COHORT } from '@pawl/contracts';
import type { HashedSnapshot, JsonObject, Snapshot, SnapshotVariant } from '@pawl/contracts';
import { assert } from '@pawl/kernel';
import type { SnapshotHead, VariantHead } from './snapshot-head.js';

/** The effective document of a cohort; `null`: absent, `undefined`: there is no such cohort. */
export type DocumentOf = (cohort: string) => JsonObject | null | undefined;

export interface BuildSnapshotOptions {
  /** `<name>/<id>`. */
  readonly installation: string;
  readonly head: SnapshotHead;
  /** Fencing token of the owner that publishes. */
  readonly token: bigint;
  /** RFC 3339 with milliseconds. */
  readonly publishedAt: string;
  /** The effective documents that `head` was computed from. */
  readonly documentOf: DocumentOf;
}

/** The message that is published. Its hash depends on neither token nor time. */
export function buildSnapshot(options: BuildSnapshotOptions): Snapshot {
  const { installation, head, token, publishedAt, documentOf } = options;
  const body = snapshotBody(installation, head, documentOf);
  return { ...body, fencingToken: token.toString(), publishedAt, hash: head.hash };
}

/** The part of a snapshot that its hash covers. Documents up to `LIMITS.inlineBytes` are inside. */
export function snapshotBody(
  installation: string,
  head: Omit<SnapshotHead, 'hash'>,
  documentOf: DocumentOf,
): HashedSnapshot {
  const variants: [string, VariantHead][] = [
    [STABLE_COHORT, head.variant],
    ...Object.entries(head.cohorts),
  ];
  return {
    format: FORMAT,
    installation,
    address: head.address,
    generation: head.generation,
    version: head.version,
    inputs: head.inputs,
    releases: head.releases,
    variants: Object.fromEntries(
      variants.map(([cohort, variant]) => [cohort, snapshotVariant(variant, documentOf(cohort))]),
    ),
  };
}

function snapshotVariant(
  { hash, size, absent }: VariantHead,
  document: JsonObject | null | undefined,
): SnapshotVariant {
  assert(document !== undefined, 'each cohort of a snapshot has a document, or none on purpose');
  assert(absent === (document === null), 'a snapshot is built from its own documents');
  if (document === null) return { hash, size, absent: true };
  return size <= LIMITS.inlineBytes ? { hash, size, inline: document } : { hash, size };
}
