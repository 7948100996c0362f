import { cohortKey } from '@pawl/contracts';
import type { Snapshot, SnapshotInput, SnapshotRelease } from '@pawl/contracts';
import { ADDRESS, makeSnapshot } from './make-snapshot.js';

export const LAYERS = ['acme', 'acme/prod', ADDRESS] as const;
export const WORKLOAD = 'checkout';

/** What an owner does to a layer; `promote` starts a release there, lets it grow, or brings it to its end. */
export interface Change {
  readonly layer: number;
  readonly action: 'promote' | 'grow' | 'complete' | 'abort' | 'rollback';
  /** Slots that the stage takes beside those before. */
  readonly slots: readonly number[];
  readonly byHash: boolean;
}

interface Layer {
  readonly input: SnapshotInput;
  readonly release: SnapshotRelease | null;
}

/** The document of a cohort at a version. */
export function documentOf(version: number, cohort: string): { version: number; cohort: string } {
  return { version, cohort };
}

/** What an owner publishes over time for the lowest of three layers: version n is at n - 1. */
export function stagedHistory(changes: readonly Change[]): readonly Snapshot[] {
  let layers: readonly Layer[] = LAYERS.map((address) => ({
    input: { address, definitionVersion: 3, releaseVersion: 1, loweredAt: null },
    release: null,
  }));
  return changes.map((change, at) => {
    layers = layers.map((layer, index) =>
      index === change.layer ? changed(layer, change, `r${at}`) : layer,
    );
    return publish(layers, at + 1, change.byHash);
  });
}

function changed({ input, release }: Layer, { action, slots }: Change, id: string): Layer {
  const { candidate, ...stable } = input;
  const releaseVersion = input.releaseVersion + 1;
  const now = { ...stable, releaseVersion };
  const version = input.definitionVersion ?? 1;
  if (release !== null && candidate !== undefined) {
    if (action === 'complete')
      return { input: { ...now, definitionVersion: candidate }, release: null };
    if (action === 'abort') return { input: { ...now, loweredAt: releaseVersion }, release: null };
    if (action === 'promote' || action === 'grow') {
      const stages = [...release.stages, stageOf(slots)];
      return { input: { ...now, candidate }, release: { ...release, stages } };
    }
  }
  if (action === 'rollback') {
    const definitionVersion = Math.max(1, version - 1);
    return { input: { ...now, definitionVersion, loweredAt: releaseVersion }, release: null };
  }
  const stages = [stageOf(slots)];
  return {
    input: { ...now, candidate: version + 1 },
    release: { id, address: input.address, salt: id, stages },
  };
}

function stageOf(slots: readonly number[]): SnapshotRelease['stages'][number] {
  return { basisPoints: 0, named: slots.map((slot) => `${WORKLOAD}/${slot}`) };
}

function publish(layers: readonly Layer[], version: number, byHash: boolean): Snapshot {
  const releases = layers.flatMap(({ release }) => release ?? []);
  const cohorts = cohortsOf(releases).map((key) => [key, documentOf(version, key)] as const);
  return makeSnapshot({
    ...{ version, byHash, releases, inputs: layers.map(({ input }) => input) },
    ...{ document: documentOf(version, ''), cohorts: Object.fromEntries(cohorts) },
  });
}

/** Keys of all cohorts but the stable one. */
function cohortsOf(releases: readonly SnapshotRelease[]): readonly string[] {
  const sets = releases.reduce<readonly SnapshotRelease[][]>(
    (before, release) => [...before, ...before.map((set) => [...set, release])],
    [[]],
  );
  return sets.map(cohortKey).filter((key) => key !== '');
}
