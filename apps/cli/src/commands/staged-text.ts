import type { RolloutRelease, StagedView, StrategyStage } from '@pawl/contracts';

/** Whom a stage reaches: `1 of each workload`, `10 %`, `region=eu|us 50 %`. */
export function stageText({ percent, count, selector }: StrategyStage): string {
  const labels = Object.entries(selector ?? {}).map(
    ([label, values]) => `${label}=${values.join('|')}`,
  );
  const share = count === undefined ? `${percent ?? 0} %` : `${count} of each workload`;
  return [...labels, share].join(' ');
}

/** What is released and how: `version 3 by canary`. */
export function candidateText(
  candidate: number | undefined,
  staged: Pick<StagedView, 'strategy'> | undefined,
): string {
  const strategy = staged?.strategy ?? 'inline';
  return `version ${candidate ?? '?'}${strategy === 'inline' ? '' : ` by ${strategy}`}`;
}

/** The stage that is reached: `stage 2 of 3 (10 %)`. */
export function placeText({ stage, stages }: Pick<RolloutRelease, 'stage' | 'stages'>): string {
  const reached = stages[stage];
  const whom = reached === undefined ? '' : ` (${stageText(reached)})`;
  return `stage ${stage + 1} of ${stages.length}${whom}`;
}
