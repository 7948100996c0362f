import type { NewRelease } from './kept-truth.js';

type Staged = NonNullable<NewRelease['staged']>;

/** Whether the stage that is reached may not end by itself before a person has said yes to just this stage. */
export function lacksApproval({ gates, stage, approved }: Staged): boolean {
  return asksForApproval({ gates, stage }) && approved !== stage;
}

/** Whether a person is asked in the stage that is reached. */
export function asksForApproval({ gates, stage }: Pick<Staged, 'gates' | 'stage'>): boolean {
  const gate = gates.find(({ kind }) => kind === 'approval');
  return gate !== undefined && stage >= 0 && (gate.stages ?? [stage]).includes(stage);
}

/** The workloads that a release holds back, sorted. */
export function heldOf({ held }: Pick<Staged, 'held'>): readonly string[] {
  return Object.keys(held ?? {}).sort();
}
