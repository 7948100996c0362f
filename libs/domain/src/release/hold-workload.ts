import { LIMITS, refused } from '@pawl/contracts';
import type { AddressText, Outcome } from '@pawl/contracts';
import { changed, unchanged } from './changed-release.js';
import type { Transition } from './changed-release.js';
import type { ReleaseState } from './release-state.js';
import { isInPreflight, placeOf, workloadsHeld } from './staged-release.js';
import type { StagedRelease } from './staged-release.js';

/**
 * Candidates of these workloads go back to the stable version, and none is reached until the release is
 * resumed. Those that are held already stay so, for the reason that they were held for first.
 */
export function holdWorkloads(
  { state, address }: { readonly state: ReleaseState; readonly address: AddressText },
  staged: StagedRelease,
  workloads: Readonly<Record<string, string>>,
): Outcome<Transition> {
  const before = workloadsHeld(staged);
  const names = new Set(before);
  const added = Object.entries(workloads).filter(([workload]) => !names.has(workload));
  if (added.length === 0) return unchanged(state);
  if (names.size + added.length > LIMITS.heldWorkloads) {
    return refused(
      'invalid-transition',
      `${before.length} workloads are held already by the release of ${address}, and at most ` +
        `${LIMITS.heldWorkloads} can be: pause or abort it`,
    );
  }
  const held = Object.fromEntries([...Object.entries(staged.held ?? {}), ...added]);
  return changed(state, { staged: { ...staged, held }, contributes: true, lowers: true });
}

/**
 * A person's go-ahead for the stage that is reached; refused where it needs none, and where another stage,
 * if one is named, was meant.
 */
export function approveStage(
  { state, address }: { readonly state: ReleaseState; readonly address: AddressText },
  staged: StagedRelease,
  meant: number | undefined,
): Outcome<Transition> {
  const { stage, approved } = staged;
  if (meant !== undefined && meant !== stage) {
    return refused(
      'invalid-transition',
      `the release of ${address} is at ${placeOf(staged)}${notAt(staged, meant)}: ` +
        'look at it, and approve this stage if it is well',
      { currentReleaseVersion: state.releaseVersion },
    );
  }
  if (approved === stage) return unchanged(state);
  if (!needsApproval(staged)) {
    return refused(
      'invalid-transition',
      `the release of ${address}, at ${placeOf(staged)}, waits for nobody's approval: ` +
        'only a gate of the kind approval asks for it',
    );
  }
  return changed(state, { staged: { ...staged, approved: stage } });
}

function notAt(staged: StagedRelease, meant: number): string {
  const { length } = staged.stages;
  if (meant < length) return `, not at ${placeOf({ ...staged, stage: meant })}`;
  return `; it has ${length} ${length === 1 ? 'stage' : 'stages'} and no stage ${meant + 1}`;
}

/** Whether a gate asks for a person's go-ahead in the stage that is reached. */
export function needsApproval(staged: StagedRelease): boolean {
  const { gates, stage } = staged;
  if (isInPreflight(staged)) return false;
  return gates.some(
    ({ kind, stages }) => kind === 'approval' && (stages === undefined || stages.includes(stage)),
  );
}
