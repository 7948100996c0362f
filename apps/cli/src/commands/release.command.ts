import { ProblemError } from '@pawl/admin-client';
import type { AdminClient } from '@pawl/admin-client';
import type {
  PreviewPromote,
  ProblemCode,
  ReleaseAction,
  ReleaseRequest,
  ReleaseView,
  StagedView,
} from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { plain, print } from '../output.js';
import { problemText } from '../problem-text.js';
import { collect } from './collect.js';
import { fromOne, parseCount, parseVersion } from './config.command.js';
import { stepLines } from './freeze-text.js';
import { previewPromote } from './preview-promote.js';
import { nextSteps } from './next-steps.js';
import { abortedText, candidateText, placeText } from './staged-text.js';
import { addLaterOptions, laterOf } from './later-flags.js';
import type { LaterFlags } from './later-flags.js';
import { pinnedBelowLines } from './pin-text.js';
import { droppedText, queuedText } from './queued-text.js';
import { addStrategyOptions, strategyOf } from './strategy-flags.js';
import type { StrategyFlags } from './strategy-flags.js';

interface ReleaseFlags extends StrategyFlags, LaterFlags {
  readonly to?: number;
  readonly expectRelease?: number;
  readonly reason?: string;
  readonly force?: true;
  readonly dryRun?: true;
  readonly preempt?: readonly string[];
  readonly freezeException?: string;
  readonly workloads?: NonNullable<ReleaseRequest['workloads']>;
  /** 1 is the first. */
  readonly stage?: number;
}

interface HoldFlags extends Pick<ReleaseFlags, 'expectRelease'> {
  readonly reason: string;
}

/** What consumers may notice. */
const ARRIVING: readonly ReleaseAction[] = [
  'promote',
  'hold',
  'abort',
  'rollback',
  'disable',
  'enable',
];
/** What a wait is given beside the bakes, for everything to be applied. */
const APPLYING_MINUTES = 5;
const LONGEST_WAIT_MINUTES = 596 * 60;

/** `pawl promote|advance|skip|approve|pause|resume|hold|abort|rollback|disable|enable|block|unblock|cancel`. */
export function addRelease(program: Command, context: CliContext): void {
  const command = (action: ReleaseAction, description: string): Command =>
    program
      .command(`${action} <address>`)
      .description(description)
      .option('--reason <text>', 'why, for the history')
      .option('--expect-release <n>', 'the release version you have seen', parseCount)
      .action((address: string, flags: ReleaseFlags) => act(context, action, address, flags));
  const version = ['--to <version>', 'the version', parseVersion] as const;
  const exception = ['--freeze-exception <text>', 'why it must go forward while frozen'] as const;
  const promote = command(
    'promote',
    'release the newest version, or another, to everybody at once, or in stages',
  );
  addLaterOptions(addStrategyOptions(promote.option(...version)))
    .option(
      '--preempt <address>',
      'abort the release in stages of this address below with it (may be repeated)',
      collect,
    )
    .option('--dry-run', 'say whom each stage would reach, and change nothing')
    .option(...exception);
  command('cancel', 'drop the promote that is queued, or to begin at a time');
  command('advance', 'go on to the next stage at once, after the last one end the release').option(
    ...exception,
  );
  command('skip', 'go to the last stage at once: everybody gets it').option(...exception);
  command('approve', 'give the stage that is reached the go-ahead that it waits for').option(
    '--stage <n>',
    'the stage that you have seen, as status shows it: refused where another is reached',
    fromOne('a stage'),
  );
  command('pause', 'stop a release in stages where it is');
  command(
    'resume',
    'go on with a release that is paused, and give workloads that are held another try',
  ).option(...exception);
  program
    .command('hold <address> <workloads...>')
    .description('take these workloads back to the stable version, while the others go on')
    .requiredOption('--reason <text>', 'why, for the history')
    .option('--expect-release <n>', 'the release version you have seen', parseCount)
    .action((address: string, held: readonly string[], flags: HoldFlags) => {
      const { reason, ...others } = flags;
      const workloads = Object.fromEntries(held.map((workload) => [workload, reason]));
      return act(context, 'hold', address, { ...others, workloads });
    });
  command('abort', 'end a release in stages: its candidates go back to the stable version');
  command('rollback', 'go back to an earlier version, or to the last good one')
    .option('--to <version>', 'the version; the last good one when left out', parseVersion)
    .option('--force', 'also where a schema is broken; needs a reason');
  command('disable', 'take this layer out');
  command('enable', 'put this layer back').option(...exception);
  command('block', 'forbid that a version is released').requiredOption(...version);
  command('unblock', 'allow it again').requiredOption(...version);
}

async function act(
  context: CliContext,
  action: ReleaseAction,
  address: string,
  flags: ReleaseFlags,
): Promise<void> {
  const { to, expectRelease, reason, force, freezeException, workloads, dryRun, preempt } = flags;
  const strategy = await strategyOf(context, address, flags);
  const promote: PreviewPromote = {
    ...(to === undefined ? {} : { targetVersion: to }),
    ...(expectRelease === undefined ? {} : { expectedReleaseVersion: expectRelease }),
    ...(strategy === undefined ? {} : { strategy }),
    ...(reason === undefined ? {} : { reason }),
    ...(freezeException === undefined ? {} : { freezeException }),
    ...(preempt === undefined ? {} : { preempt: [...preempt] }),
  };
  const later = action === 'promote' ? laterOf(flags) : {};
  const isLater = flags.queue === true || later.at !== undefined;
  if (preempt !== undefined && isLater) {
    throw new CliError('what begins later pre-empts nothing: leave --preempt out', EXIT.usage);
  }
  if (dryRun === true) return previewPromote(context, address, { ...promote, ...later });
  const request: ReleaseRequest = {
    ...promote,
    ...later,
    action,
    ...(force === true ? { force } : {}),
    ...(workloads === undefined ? {} : { workloads }),
  };
  const client = await context.client();
  const before = await releaseBefore(client, address);
  const meant = action === 'approve' ? stageMeant(flags, before) : {};
  const view = await client.release(address, { ...request, ...meant }).catch((error: unknown) => {
    throw withHint(context, { address, isLater }, error);
  });
  const changed = before?.releaseVersion !== view.releaseVersion;
  print(context.terminal, context.format(), view, () => {
    const dropped = view.dropped === undefined ? [] : [droppedText(view.dropped)];
    const aborted = (view.aborted ?? []).map((one) => `aborted with it: ${abortedText(one)}`);
    const queued = [
      ...aborted,
      ...dropped,
      ...(view.queued === undefined ? [] : [queuedText(view.queued)]),
    ];
    const beside = [...queued, ...pinnedBelowLines(view.pinnedBelow)];
    if (!changed) return [`nothing changed: ${releaseText(view)}`, ...beside, ''].join('\n');
    return [releaseText(view), ...beside, ...hints(context, action, view), ''].join('\n');
  });
}

/** An approve is of the stage that was seen, by whoever asks or just now, and of nothing that came since. */
function stageMeant(
  { stage, expectRelease }: ReleaseFlags,
  seen: ReleaseView | undefined,
): Pick<ReleaseRequest, 'stage' | 'expectedReleaseVersion'> {
  const reached = stage === undefined ? seen?.staged?.stage : stage - 1;
  const version = expectRelease ?? seen?.releaseVersion;
  return {
    ...(reached === undefined ? {} : { stage: reached }),
    ...(version === undefined ? {} : { expectedReleaseVersion: version }),
  };
}

/** `undefined` where it is refused: the transition itself then says why. */
async function releaseBefore(
  client: AdminClient,
  address: string,
): Promise<ReleaseView | undefined> {
  try {
    return await client.getRelease(address);
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

/** Tells people what they can do about a refusal. */
function withHint(
  context: CliContext,
  { address, isLater }: { readonly address: string; readonly isLater: boolean },
  error: unknown,
): unknown {
  if (!(error instanceof ProblemError) || context.format() !== 'table') return error;
  const { problem } = error;
  const look = `look at it: ${context.command(`status ${address}`)}`;
  const after = isLater ? '' : '\nbegin after it: the same with --queue';
  const hint: Partial<Record<ProblemCode, string>> = {
    'release-in-flight': `${look}${after}\nsupersede it: the same with --supersede`,
    'release-queued': `drop it: ${context.command(`cancel ${address}`)}\ntake its place: the same with --supersede`,
    'too-many-releases': `${look}\nwhere one is below, abort it with this: the same with --preempt ADDRESS`,
    frozen: 'go forward all the same: with --freeze-exception and why',
  };
  const told = hint[problem.code];
  if (told === undefined) return error;
  return new CliError(`${problemText(problem)}\n${told}`, EXIT.error, problem);
}

function hints(context: CliContext, action: ReleaseAction, view: ReleaseView): string[] {
  const { address, staged, state, frozen } = view;
  const watch = context.command(`status ${address} --watch`);
  if (view.queued !== undefined && action === 'promote') {
    return [`watch it: ${watch}`, `drop it: ${context.command(`cancel ${address}`)}`];
  }
  if (staged === undefined) return ARRIVING.includes(action) ? [`watch it arrive: ${watch}`] : [];
  if (action === 'block' || action === 'unblock') return [];
  const { stage } = staged;
  const steps = nextSteps(context, { address, state, stage, ...(frozen && { frozen }) });
  if (state === 'paused') return steps;
  const frozenLines = stepLines(context, view);
  return [...frozenLines, `watch it: ${watch}`, ...steps, ...waitHint(context, view, staged)];
}

function waitHint(context: CliContext, view: ReleaseView, { stage, stages }: StagedView): string[] {
  if (view.candidate === undefined) return [];
  const bakesMs = stages.slice(stage).reduce((sum, { bakeMs = 0 }) => sum + bakeMs, 0);
  const minutes = Math.min(Math.ceil(bakesMs / 60_000) + APPLYING_MINUTES, LONGEST_WAIT_MINUTES);
  // Its gates have seen to live instances, which may all be below the address.
  const words = `wait ${view.address} --to ${view.candidate} --min 0 --timeout ${minutes}m`;
  return [`wait for its end: ${context.command(words)}`];
}

function releaseText(view: ReleaseView): string {
  const { address, state, releaseVersion, stableVersion, staged } = view;
  const stable = stableVersion === null ? 'nothing' : `version ${stableVersion}`;
  const forced = view.forced === true ? ', forced against a schema' : '';
  const blocked = view.blockedVersions ?? [];
  const without = blocked.length === 0 ? '' : `, blocked: ${blocked.join(', ')}`;
  const at = `${address} is ${state} at ${stable} (release ${releaseVersion}${forced}${without})`;
  if (staged === undefined) return at;
  const why = staged.reason === undefined ? '' : `; ${staged.reason}`;
  const held = Object.keys(staged.held ?? {});
  const out = held.length === 0 ? '' : `; held: ${held.join(', ')}`;
  const text = `${at}: ${candidateText(view.candidate, staged)}, ${placeText(staged)}${why}${out}`;
  return plain(text);
}
