import type {
  AbortedView,
  PreflightProgress,
  RolloutRelease,
  StagedView,
  StrategyStage,
} from '@pawl/contracts';

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

/** A release that ends with another: `release 5b… of version 4 of acme/prod/eu`. */
export function abortedText({ address, id, version, queued }: AbortedView): string {
  const behind = queued === undefined ? '' : `, and version ${queued} that was queued behind it`;
  return `release ${id} of version ${version} of ${address}${behind}`;
}

/** The stage that is reached, `stage 2 of 3 (10 %)`, or how far its preflight is; both while those who come next are asked. */
export function placeText({
  stage,
  stages,
  preflight,
  asking,
}: Pick<RolloutRelease, 'stage' | 'stages' | 'preflight' | 'asking'>): string {
  if (preflight !== undefined) return preflightText(preflight);
  const reached = stages[stage];
  const whom = reached === undefined ? '' : ` (${stageText(reached)})`;
  return `stage ${stage + 1} of ${stages.length}${whom}${askingText(asking)}`;
}

/** `, preflight 2/3 accepted` of those who are asked before the next stage; empty where nobody is. */
export function askingText(asking: PreflightProgress | undefined): string {
  return asking === undefined ? '' : `, ${preflightText(asking)}`;
}

/** `preflight 812/1000 accepted, 2 rejected`; what is 0 is left out. */
export function preflightText(preflight: PreflightProgress): string {
  const { asked, accepted = 0, rejected = 0, cannotSay = 0, silent = 0, state } = preflight;
  if (asked === undefined) return 'preflight';
  const others = [
    [rejected, 'rejected'],
    [cannotSay, 'cannot say'],
    // While they are asked they may still answer.
    [silent, state === 'asking' ? 'to answer' : 'silent'],
  ].flatMap(([count, what]) => (count === 0 ? [] : `, ${count} ${what}`));
  return `preflight ${accepted}/${asked} accepted${others.join('')}`;
}
