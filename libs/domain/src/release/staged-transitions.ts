import { canonicalize, refused } from '@pawl/contracts';
import type { AddressText, Outcome, ReleaseRequest } from '@pawl/contracts';
import { changed, unchanged } from './changed-release.js';
import type { Transition } from './changed-release.js';
import type { Asked } from './queued-release.js';
import type { ReleaseState } from './release-state.js';
import type { ResolvedStrategy } from './resolve-strategy.js';
import { approveStage, holdWorkloads } from './hold-workload.js';
import {
  expireMsOf,
  progressMsOf,
  isLastStage,
  placeOf,
  PREFLIGHT_STAGE,
  workloadsHeld,
} from './staged-release.js';
import type { StagedRelease } from './staged-release.js';

export type StagedAction = 'advance' | 'skip' | 'pause' | 'resume' | 'abort' | 'hold' | 'approve';

export interface StagedInput {
  readonly asked: Pick<Asked, 'at' | 'by'>;
  readonly state: ReleaseState;
  readonly request: Pick<ReleaseRequest, 'reason' | 'conflict' | 'workloads' | 'stage'>;
  readonly address: AddressText;
}

/** What an action on a release in stages makes of the state; refused where none is under way. */
export function planStaged(action: StagedAction, input: StagedInput): Outcome<Transition> {
  const { state, address } = input;
  const { staged } = state;
  if (staged === null) {
    return refused(
      'invalid-transition',
      `${action} needs a release in stages under way, and ${address} is ${state.state}: ` +
        'promote with a strategy begins one, rollback goes back',
    );
  }
  switch (action) {
    case 'advance':
      return advance(input, staged);
    case 'skip':
      return skip(input, staged);
    case 'pause':
      return pause(input, staged);
    case 'resume':
      return resume(state, staged);
    case 'abort':
      return dropped(state);
    case 'hold':
      return holdWorkloads(input, staged, input.request.workloads ?? {});
    case 'approve':
      return approveStage(input, staged, input.request.stage);
  }
}

/**
 * The preflight of a release of `target`, or its first stage where it has none; `target` is above the stable version; one that is under way is
 * superseded where that is asked for: its candidates go back first, but those of the new one.
 */
export function begin(
  { state, address, request, asked }: StagedInput,
  release: {
    readonly target: number;
    readonly id: string;
    readonly strategy: ResolvedStrategy;
  },
): Outcome<Transition> {
  const { target, id, strategy } = release;
  const { staged } = state;
  if (staged?.candidateVersion === target && isSameStrategy(staged, strategy)) {
    return unchanged(state);
  }
  if (staged !== null && request.conflict !== 'supersede') {
    return inFlight({ state, address }, staged);
  }
  const stage = strategy.preflight === undefined ? 0 : PREFLIGHT_STAGE;
  const begun = { begunAt: asked.at, begunBy: asked.by };
  const next = { ...strategy, id, candidateVersion: target, ...begun, stage, pausedFor: null };
  const lowers = staged !== null;
  return changed(state, { state: 'rolling', staged: next, contributes: true, lowers });
}

/** The refusal of a promote that does not say what is to become of the release under way. */
export function inFlight(
  { state, address }: Pick<StagedInput, 'state' | 'address'>,
  staged: StagedRelease,
): Outcome<never> {
  return refused(
    'release-in-flight',
    `release ${staged.id} of version ${staged.candidateVersion} of ${address} is ${state.state} ` +
      `at ${placeOf(staged)}: let it end, abort it, or supersede it; ` +
      'the strategy all-at-once, where it is named, ends it',
    { currentReleaseVersion: state.releaseVersion },
  );
}

/** The candidate is dropped, and its candidates go back to the stable version. */
export function dropped(state: ReleaseState): Outcome<Transition> {
  return changed(state, { state: 'idle', staged: null, contributes: true, lowers: true });
}

function advance({ state, address }: StagedInput, staged: StagedRelease): Outcome<Transition> {
  if (state.state === 'paused') return isPaused('advance', address);
  if (!isLastStage(staged)) {
    return changed(state, { staged: { ...staged, stage: staged.stage + 1 } });
  }
  return changed(state, {
    ...{ state: 'idle', stableVersion: staged.candidateVersion, staged: null },
    ...{ forced: false, contributes: true },
  });
}

function skip({ state, address }: StagedInput, staged: StagedRelease): Outcome<Transition> {
  if (state.state === 'paused') return isPaused('skip', address);
  if (isLastStage(staged)) return unchanged(state);
  return changed(state, { staged: { ...staged, stage: staged.stages.length - 1 } });
}

function pause({ state, request, asked }: StagedInput, staged: StagedRelease): Outcome<Transition> {
  if (state.state === 'paused') return unchanged(state);
  const pausedFor = request.reason ?? null;
  const next = { ...staged, pausedFor, pausedAt: asked.at };
  return changed(state, { state: 'paused', staged: next });
}

/** Goes on, and gives workloads that are held another try. */
function resume(state: ReleaseState, staged: StagedRelease): Outcome<Transition> {
  const { held: _, pausedAt: __, ...rest } = staged;
  const isHeld = workloadsHeld(staged).length > 0;
  if (state.state === 'rolling' && !isHeld) return unchanged(state);
  const next = { ...rest, pausedFor: null };
  return changed(state, { state: 'rolling', staged: next, contributes: isHeld });
}

function isPaused(action: StagedAction, address: AddressText): Outcome<Transition> {
  const detail = `the release of ${address} is paused: resume it, then ${action}`;
  return refused('invalid-transition', detail);
}

/** In whatever order a store keeps the members. */
export function isSameStrategy(staged: StagedRelease, wanted: ResolvedStrategy): boolean {
  const of = (one: ResolvedStrategy): string => {
    const { strategy, stages, gates, preflight = false } = one;
    return canonicalize([strategy, stages, gates, preflight, expireMsOf(one), progressMsOf(one)]);
  };
  return of(staged) === of(wanted);
}
