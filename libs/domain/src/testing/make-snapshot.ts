import { STABLE_COHORT } from '@pawl/contracts';
import type {
  AddressText,
  JsonObject,
  Snapshot,
  SnapshotInput,
  SnapshotRelease,
} from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { buildSnapshot } from '../snapshot/build-snapshot.js';
import { computeHead, computeVariant } from '../snapshot/compute-head.js';
import type { SnapshotHead } from '../snapshot/snapshot-head.js';

export const INSTALLATION = 'main/0f3c';
export const PUBLISHED_AT = '2026-01-02T03:04:05.678Z';

export interface MakeSnapshotOptions {
  readonly address: AddressText;
  readonly version: number;
  readonly inputs: readonly SnapshotInput[];
  readonly releases?: readonly SnapshotRelease[];
  /** By cohort; the stable one has one. */
  readonly documents: Readonly<Record<string, JsonObject | null>>;
  readonly token?: bigint;
}

/** A snapshot of generation 1 as an owner makes it, and the head that it was built from. */
export function makeSnapshot(options: MakeSnapshotOptions): {
  readonly head: SnapshotHead;
  readonly snapshot: Snapshot;
} {
  const { address, version, inputs, releases = [], documents, token = 1n } = options;
  const { [STABLE_COHORT]: stable = null, ...others } = documents;
  const cohorts = Object.entries(others).map(
    ([cohort, document]) => [cohort, computeVariant(document, sha256).variant] as const,
  );
  const documentOf = (cohort: string): JsonObject | null | undefined => documents[cohort];
  const head = computeHead({
    ...{ installation: INSTALLATION, address, generation: 1, version, inputs, releases },
    ...{ variant: computeVariant(stable, sha256).variant, cohorts: Object.fromEntries(cohorts) },
    ...{ documentOf, sha256 },
  });
  const made = { installation: INSTALLATION, head, token, publishedAt: PUBLISHED_AT, documentOf };
  return { head, snapshot: buildSnapshot(made) };
}
