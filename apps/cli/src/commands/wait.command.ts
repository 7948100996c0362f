import type { RolloutView } from '@pawl/contracts';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { print } from '../output.js';
import { ageText } from './age-text.js';
import { parseCount } from './config.command.js';
import { followRollout, onceStarted } from './follow-rollout.js';
import type { Connection } from './follow-rollout.js';

interface WaitFlags {
  readonly applied: number;
  readonly timeout: number;
  readonly min: number;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `60s`, `500ms`, `5m`: milliseconds. */
export function parseDuration(text: string): number {
  const match = /^([0-9]{1,6})(ms|s|m|h)$/.exec(text);
  if (match === null) throw new InvalidArgumentError('a duration is a number with ms, s, m or h');
  return Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0);
}

/** `100%`: the share. */
export function parseShare(text: string): number {
  const match = /^([0-9]{1,3})%$/.exec(text);
  if (match === null || Number(match[1]) > 100) {
    throw new InvalidArgumentError('a share is 0% to 100%');
  }
  return Number(match[1]) / 100;
}

/** `pawl wait`: ends when enough consumers applied the newest snapshot; the exit code tells. */
export function addWait(program: Command, context: CliContext): void {
  program
    .command('wait <address>')
    .description('wait until the newest snapshot is applied (exit code 3: too late, 4: rejected)')
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
    .action(async (address: string, flags: WaitFlags) => {
      const view = await waitApplied(context, address, flags);
      print(context.terminal, context.format(), view, () => {
        const { applied, live } = view.consumers;
        return `${address} snapshot ${view.published?.version ?? 0} applied by ${applied} of ${live}${ageNote(view)}\n`;
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
  const ask = (): Promise<number> => newestSnapshot(context, address, signal);
  const wanted = await onceStarted(context, ask, signal, connection).catch((error: unknown) => {
    if (!deadline.aborted || context.signal.aborted) throw error;
    const why = connection.lostBecause ?? 'the control plane did not answer';
    throw new CliError(`not in time: ${why}`, EXIT.timedOut);
  });
  let last: RolloutView | undefined;
  for await (const view of followRollout(context, address, signal, connection)) {
    last = view;
    if ((view.published?.version ?? 0) < wanted) continue;
    const { live, applied, rejected } = view.consumers;
    if (live >= flags.min && applied >= live * flags.applied) return view;
    if (live >= flags.min && live - rejected < live * flags.applied) {
      const reasons = view.rejections.map(({ reason, count }) => `${count} × ${reason}`).join('; ');
      throw new CliError(`${rejected} of ${live} consumers rejected it: ${reasons}`, EXIT.rejected);
    }
  }
  if (!deadline.aborted) throw new CliError('interrupted');
  const { lostBecause } = connection;
  const away = lostBecause === undefined ? '' : `; the control plane is away: ${lostBecause}`;
  throw new CliError(`not in time: ${lateText(last, wanted, flags)}${away}`, EXIT.timedOut);
}

async function newestSnapshot(
  context: CliContext,
  address: string,
  signal: AbortSignal,
): Promise<number> {
  const client = await context.client(signal);
  return (await client.effective(address)).snapshotVersion;
}

/** Nothing where the owner of the address confirmed it. */
function ageNote(view: RolloutView): string {
  const age = ageText(view);
  return age === '' ? '' : ` (${age})`;
}

function lateText(view: RolloutView | undefined, wanted: number, { min }: WaitFlags): string {
  if (view === undefined) return `nothing was heard of snapshot ${wanted}`;
  const { applied, live, byVersion } = view.consumers;
  const published = view.published?.version ?? 0;
  if (published === 0) return `snapshot ${wanted} is not published yet`;
  const others = Object.entries(byVersion).filter(([version]) => Number(version) !== published);
  const running = others.map(([version, count]) => `${count} run ${version}`).join(', ');
  const arrived =
    `${applied} of ${live} live consumers applied snapshot ${published}` +
    (running === '' ? '' : ` (${running})`) +
    ageNote(view);
  if (published < wanted) return `snapshot ${wanted} is not published yet; ${arrived}`;
  if (live >= min) return arrived;
  return `${arrived}, and ${min - live} of the ${min} that have to be there (--min) ${min - live === 1 ? 'is' : 'are'} missing`;
}
