import type { PreflightProgress, RolloutRelease, StagedView } from '@pawl/contracts';
import { durationText } from './duration.js';
import { gateText, heldLines, judgedLines } from './gate-text.js';
import { askingText, candidateText, placeText, preflightText, stageText } from './staged-text.js';

const BAR_WIDTH = 20;
/** Stages that are shown before and after the one that is reached; the first and the last always are. */
const SHOWN_AROUND = 2;

/**
 * A release in stages under way, for people: what, a bar for each stage, its candidates at the address
 * that is looked at, and why it does not go on. `staged`: what its own address tells of it.
 */
export function releaseProgress(release: RolloutRelease, staged: StagedView | undefined): string[] {
  const { address, candidate, state, stage, stages, preflight, asking } = release;
  const what = candidateText(candidate, staged);
  if (preflight !== undefined) {
    return [
      `${what} at ${address} is ${state}, ${preflightText(preflight)}`,
      `  ${preflightLine(preflight)}`,
      ...stageLines({ ...release, stage: -1 }),
      ...reasonLines(release),
    ];
  }
  return [
    `${what} at ${address} is ${state}, stage ${stage + 1} of ${stages.length}${askingText(asking)}`,
    ...stageLines(release),
    `candidates: ${candidatesText(release)}`,
    ...judgedLines(release.gates),
    ...heldLines(release.held),
    ...reasonLines(release),
    ...expiryLines(release),
  ];
}

/** The same in one line, without the time that is left. */
export function releaseLine(release: RolloutRelease, staged: StagedView | undefined): string {
  const { address, candidate, state, reason } = release;
  const what = `${candidateText(candidate, staged)} at ${address} is ${state}`;
  const why = reason === undefined ? '' : `; ${reason}`;
  if (release.preflight !== undefined) return `${what}, ${placeText(release)}${why}`;
  return `${what}, ${placeText(release)}: ${candidatesText(release)}${why}`;
}

/** When it stops by itself, and what then happens; nothing where that is not known. */
export function gateLines(staged: StagedView | undefined): string[] {
  const gates = staged?.gates ?? [];
  return gates.length === 0 ? [] : [`gates: ${gates.map(gateText).join('; ')}`];
}

function candidatesText({ candidates }: RolloutRelease): string {
  const { live, applied, rejected, lagging, lost } = candidates;
  return `${live} live, ${applied} applied, ${rejected} rejected, ${lagging} lagging, ${lost} lost`;
}

function reasonLines({ state, reason }: RolloutRelease): string[] {
  if (reason === undefined) return [];
  return [`${state === 'paused' ? 'paused' : 'waits'}: ${reason}`];
}

function expiryLines({ expiresAt }: RolloutRelease): string[] {
  return expiresAt === undefined ? [] : [`unless it is resumed it is aborted at ${expiresAt}`];
}

function stageLines(release: RolloutRelease): string[] {
  const { stage, stages } = release;
  const last = stages.length - 1;
  const width = String(stages.length).length;
  const shown = stages
    .map((_, at) => at)
    .filter((at) => at === 0 || at === last || Math.abs(at - stage) <= SHOWN_AROUND);
  return shown.flatMap((at, index) => {
    const before = shown[index - 1] ?? at - 1;
    const gap = before === at - 1 ? [] : ['  …'];
    return [...gap, `  ${String(at + 1).padStart(width)} ${stageLine(release, at)}`];
  });
}

function stageLine({ stage, stages, candidates, bakeLeftMs }: RolloutRelease, at: number): string {
  const { live, applied } = candidates;
  const share = at < stage ? 1 : at > stage || live === 0 ? 0 : applied / live;
  const drawn = barOf(share);
  const reached = stages[at];
  const whom = reached === undefined ? '' : stageText(reached);
  if (at !== stage) return `${drawn} ${whom}`;
  const left = bakeLeftMs === undefined ? '' : `, ${durationText(bakeLeftMs)} of its bake left`;
  return `${drawn} ${whom}: ${applied} of ${live} applied${left}`;
}

function preflightLine({ asked = 0, accepted = 0 }: PreflightProgress): string {
  const share = asked === 0 ? 0 : accepted / asked;
  return `${barOf(share)} everybody is asked first; nobody has it yet`;
}

function barOf(share: number): string {
  const filled = Math.min(BAR_WIDTH, Math.floor(share * BAR_WIDTH));
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`;
}
