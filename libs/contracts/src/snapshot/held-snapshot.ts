import { STABLE_COHORT } from '../messages/snapshot.message.js';
import type { Snapshot, SnapshotInput } from '../messages/snapshot.message.js';
import { cohortOf, isCandidate } from './cohort.js';
import type { ConsumerIdentity } from './cohort.js';

/**
 * What a consumer keeps of the snapshot it runs, to judge the next one by. `inputs` are the layers as it
 * runs them: where it is a candidate of a layer's release, the candidate's definition version.
 */
export interface HeldSnapshot extends Pick<
  Snapshot,
  'installation' | 'generation' | 'version' | 'hash' | 'inputs'
> {
  /** Whose layers these are; without one those of a consumer without a slot. */
  readonly identity?: ConsumerIdentity;
  /** Key of the variant; without one the stable one. */
  readonly cohort?: string;
}

/** What a consumer keeps of a snapshot once it runs it. */
export function heldBy(identity: ConsumerIdentity, snapshot: Snapshot): HeldSnapshot {
  const { installation, generation, version, hash, releases } = snapshot;
  const inputs = inputsOf(snapshot, identity);
  const cohort = cohortOf(releases, identity);
  return { installation, generation, version, hash, inputs, identity, cohort };
}

export function cohortHeld({ cohort }: Pick<HeldSnapshot, 'cohort'>): string {
  return cohort ?? STABLE_COHORT;
}

/** The layers of a snapshot as a consumer runs them; without an identity as one in no cohort. */
export function inputsOf(
  { inputs, releases }: Pick<Snapshot, 'inputs' | 'releases'>,
  identity: ConsumerIdentity | undefined,
): readonly SnapshotInput[] {
  if (identity === undefined) return inputs;
  const reached = new Set(
    releases.filter((release) => isCandidate(release, identity)).map(({ address }) => address),
  );
  return inputs.map((input) => {
    const { candidate, ...layer } = input;
    if (candidate === undefined || !reached.has(input.address)) return input;
    return { ...layer, definitionVersion: candidate };
  });
}
