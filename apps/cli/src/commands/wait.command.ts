import type { RolloutView } from '@pawl/contracts';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { print } from '../output.js';
import { AwaitedReleases } from './await-releases.js';
import type { Ask } from './await-releases.js';
import { parseCount, parseVersion } from './config.command.js';
import { parseDuration } from './duration.js';
import { followRollout, onceStarted } from './follow-rollout.js';
import type { Connection } from './follow-rollout.js';
import { lateText } from './late-text.js';

interface WaitFlags {
  readonly applied: number;
  readonly timeout: number;
  readonly min: number;
  readonly to?: number;
}

/** `100%`: the share. */
export function parseShare(text: string): number {
  const match = /^([0-9]{1,3})%$/.exec(text);
  if (match === null || Number(match[1]) > 100) {
    throw new InvalidArgumentError('a share is 0% to 100%');
  }
  return Number(match[1]) / 100;
}

/**
 * `pawl wait`: ends when enough consumers applied the newest snapshot and no release in stages is under
 * way there, or one has stopped; the exit code tells.
 */
export function addWait(program: Command, context: CliContext): void {
  program
    .command('wait <address>')
    .description(
      'wait until the newest snapshot is applied, and the end of releases in stages (exit code 3: too late, 4: rejected, or a release was stopped)',
    )
    .addOption(
      new Option('--applied <share>', 'share of the live consumers')
        .argParser(parseShare)
        .default(1, '100%'),
    )
    .addOption(
      new Option('--timeout <duration>', 'how long at most')
        .argParser(parseDuration)
        .default(60_000, '60s'),
    )
    .option('--min <n>', 'live consumers that have to be there', parseCount, 1)
    .option('--to <version>', 'the version that has to reach everybody', parseVersion)
    .action(async (address: string, flags: WaitFlags) => {
      const view = await waitApplied(context, address, flags);
      print(context.terminal, context.format(), view, () => {
        const { applied, live } = view.consumers;
        return `${address} snapshot ${view.published?.version ?? 0} applied by ${applied} of ${live}\n`;
      });
    });
}

async function waitApplied(
  context: CliContext,
  address: string,
  flags: WaitFlags,
): Promise<RolloutView> {
  const deadline = AbortSignal.timeout(flags.timeout);
  const signal = AbortSignal.any([deadline, context.signal]);
  const connection: Connection = {};
  const wait: Wait = {
    ...{ context, address, flags, signal, connection },
    ask: (call) =>
      onceStarted(context, async () => call(await context.client(signal)), signal, connection),
  };
  const applied = await untilApplied(wait).catch((error: unknown) => {
    if (error instanceof CliError || !deadline.aborted || context.signal.aborted) throw error;
  });
  if (applied !== undefined) return applied;
  if (!deadline.aborted) throw new CliError('interrupted');
  const { lostBecause } = connection;
  if (wait.wanted === undefined) {
    const why = lostBecause ?? 'the control plane did not answer';
    throw new CliError(`not in time: ${why}`, EXIT.timedOut);
  }
  const away = lostBecause === undefined ? '' : `; the control plane is away: ${lostBecause}`;
  const { text, steps } = lateText(context, { ...flags, view: wait.last, wanted: wait.wanted });
  throw new CliError([`not in time: ${text}${away}`, ...steps].join('\n'), EXIT.timedOut);
}

interface Wait {
  readonly context: CliContext;
  readonly address: string;
  readonly flags: WaitFlags;
  readonly signal: AbortSignal;
  readonly connection: Connection;
  readonly ask: Ask;
  /** The snapshot that is waited for, once it is known. */
  wanted?: number;
  last?: RolloutView;
}

/** `undefined`: ended before. */
async function untilApplied(wait: Wait): Promise<RolloutView | undefined> {
  const { context, address, flags, signal, connection, ask } = wait;
  const newest = (): Promise<number> =>
    ask(async (client) => (await client.effective(address)).snapshotVersion);
  const releases = new AwaitedReleases(context, ask, flags.applied);
  if (flags.to !== undefined) await releases.expect(address, flags.to);
  wait.wanted = await newest();
  for await (const view of followRollout(context, address, signal, connection)) {
    wait.last = view;
    const staged = await releases.judge(view);
    if (staged === 'ended') wait.wanted = await newest();
    if ((view.published?.version ?? 0) < wait.wanted) continue;
    // What the owner has not confirmed does not tell whether a release in stages is under way.
    const isTold = view.asOf === undefined && staged !== 'under way';
    if (isTold && isApplied(view, flags)) return view;
    refuseRejected(view, flags);
  }
  return undefined;
}

function isApplied({ consumers }: RolloutView, { min, applied }: WaitFlags): boolean {
  return consumers.live >= min && consumers.applied >= consumers.live * applied;
}

/** Throws a CliError once the share cannot be reached any more. */
function refuseRejected({ consumers, rejections }: RolloutView, flags: WaitFlags): void {
  const { live, rejected } = consumers;
  if (live < flags.min || live - rejected >= live * flags.applied) return;
  const reasons = rejections.map(({ reason, count }) => `${count} × ${reason}`).join('; ');
  throw new CliError(`${rejected} of ${live} consumers rejected it: ${reasons}`, EXIT.rejected);
}
