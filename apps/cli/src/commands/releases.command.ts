import { ProblemError } from '@pawl/admin-client';
import { RELEASE_LIST_STATES } from '@pawl/contracts';
import type {
  CandidateCounts,
  PresentState,
  ReleaseItem,
  ReleaseListState,
  ReleaseSummary,
} from '@pawl/contracts';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { plain, print, table } from '../output.js';
import { problemText } from '../problem-text.js';
import { allPages } from './all-pages.js';
import { fromOne } from './config.command.js';
import { durationText } from './duration.js';
import { begunLines, endedText, listEnded } from './ended-releases.js';
import { heldLines, judgedLines } from './gate-text.js';
import { nextSteps } from './next-steps.js';
import { parsePast, PAST } from './past-time.js';
import { askingText, candidateText, preflightText } from './staged-text.js';

/** `pawl releases`: what is, or was, released in stages, over all addresses; one of them summed up. */
export function addReleases(program: Command, context: CliContext): void {
  program
    .command('releases')
    .argument('[id]', 'sum this one up: what it has reached, or what became of it')
    .description('releases in stages that are under way, and what is queued, over all addresses')
    .addOption(
      new Option(
        '--state <state>',
        'only those; ended: those that have ended, the last first',
      ).choices(RELEASE_LIST_STATES),
    )
    .option('--since <time>', `that have ended since: ${PAST}`, parsePast)
    .option('--limit <n>', 'how many that have ended (100)', fromOne('a limit'))
    .action((id: string | undefined, flags: Flags) => {
      if (id === undefined) return list(context, flags);
      const [flag] = Object.keys(flags);
      if (flag === undefined) return sumUp(context, id);
      throw new CliError(`--${flag} goes with the list, not with one release`, EXIT.usage);
    });
}

interface Flags {
  readonly state?: ReleaseListState;
  readonly since?: string;
  readonly limit?: number;
}

async function list(context: CliContext, { state, since, limit }: Flags): Promise<void> {
  if (state === 'ended') {
    const options = since === undefined ? {} : { since };
    return listEnded(context, { ...options, limit: limit ?? 100 });
  }
  if (since !== undefined || limit !== undefined) {
    throw new CliError('--since and --limit go with --state ended', EXIT.usage);
  }
  return listPresent(context, state);
}

async function listPresent(context: CliContext, state: PresentState | undefined): Promise<void> {
  const client = await context.client();
  const items: ReleaseItem[] = [];
  const flags = state === undefined ? {} : { state };
  for await (const item of allPages((page) => client.releases({ ...flags, ...page }))) {
    items.push(item);
  }
  print(context.terminal, context.format(), { items }, () => {
    if (items.length === 0) return 'nothing is being released in stages, or queued\n';
    const rows = items.flatMap((item) => [...underWayRow(item), ...queuedRow(item)]);
    const heads = ['release', 'address', 'state', 'what', 'stable', 'stage', 'why'];
    return `${table(heads, rows)}sum one up: ${context.command('releases RELEASE')}\n`;
  });
}

function underWayRow(item: ReleaseItem): (readonly (string | number | null)[])[] {
  if (item.state === 'queued') return [];
  const { id, address, state, stableVersion, reason = '' } = item;
  const what = candidateText(item.candidate, item);
  return [[id, address, state, what, stableVersion, stageText(item), reason]];
}

/** What begins later, in a row of its own. */
function queuedRow(item: ReleaseItem): (readonly (string | number | null)[])[] {
  const { address, stableVersion, queued } = item;
  if (queued === undefined) return [];
  const { id, targetVersion, by, at, reason } = queued;
  const when = at === undefined ? 'after that' : `at ${at}`;
  const why = reason === undefined ? '' : `: ${reason}`;
  const what = candidateText(targetVersion, queued);
  return [[id, address, 'queued', what, stableVersion, '', `${when}, by ${by}${why}`]];
}

async function sumUp(context: CliContext, id: string): Promise<void> {
  const client = await context.client();
  const view = await client.releaseSummary(id).catch((error: unknown) => {
    throw withHint(context, error);
  });
  print(context.terminal, context.format(), view, () =>
    view.state === 'ended' ? endedText(view) : summaryText(context, view),
  );
}

/** Tells people where to look for one that is not found. */
function withHint(context: CliContext, error: unknown): unknown {
  if (!(error instanceof ProblemError) || context.format() !== 'table') return error;
  const { problem } = error;
  if (problem.code !== 'unknown-release') return error;
  const steps = [
    `what is under way: ${context.command('releases')}`,
    `what has ended: ${context.command('releases --state ended')}`,
    `what was done: ${context.command('changes --since 1d')}`,
  ];
  return new CliError([problemText(problem), ...steps].join('\n'), EXIT.error, problem);
}

function summaryText(context: CliContext, view: ReleaseSummary): string {
  const { address, state, candidate, stableVersion, bakeLeftMs, reason, candidates } = view;
  const before = stableVersion === null ? 'nothing' : `version ${stableVersion}`;
  const left = bakeLeftMs === undefined ? '' : `, ${durationText(bakeLeftMs)} left to bake`;
  const head = [
    `${address} is ${state}: ${candidateText(candidate, view)} after ${before}, ${view.preflight === undefined ? 'stage ' : ''}${stageText(view)}${askingText(view.asking)}${left}`,
    ...begunLines(view),
    ...(reason === undefined ? [] : [`${state === 'paused' ? 'paused' : 'waits'}: ${reason}`]),
    `candidates: ${Object.entries(candidates)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')}`,
    ...judgedLines(view.gates),
    ...heldLines(view.held),
  ].map(plain);
  const reached = view.addresses.filter((one) => counts(one.candidates).some((n) => n > 0));
  const without = view.addresses.length - reached.length;
  return [
    `${head.join('\n')}\n`,
    countsTable(
      'workload',
      view.byWorkload.map((one) => [one.workload, one]),
    ),
    countsTable(
      'address',
      reached.map((one) => [one.address, one.candidates]),
    ),
    without === 0 ? '' : `${without} more without candidates\n`,
    view.more === true ? 'not all are listed; all are counted\n' : '',
    view.rejections.length === 0 ? '' : '\n',
    ...(view.rejections.length === 0 ? [] : [rejectionsTable(view)]),
    `\n${nextSteps(context, view).join('\n')}\n`,
  ].join('');
}

function rejectionsTable({ rejections }: ReleaseSummary): string {
  return table(
    ['rejected', 'why'],
    rejections.map(({ count, reason }) => [count, reason]),
  );
}

function countsTable(
  what: string,
  rows: readonly (readonly [name: string, of: CandidateCounts])[],
): string {
  if (rows.length === 0) return '';
  const heads = [what, 'live', 'applied', 'rejected', 'lagging', 'lost'];
  return `\n${table(
    heads,
    rows.map(([name, of]) => [name, ...counts(of)]),
  )}`;
}

function counts({ live, applied, rejected, lagging, lost }: CandidateCounts): number[] {
  return [live, applied, rejected, lagging, lost];
}

function stageText({
  stage,
  stages,
  preflight,
}: Pick<ReleaseItem, 'stage' | 'stages' | 'preflight'>): string {
  if (preflight !== undefined) return preflightText(preflight);
  return `${stage + 1} of ${stages}`;
}
