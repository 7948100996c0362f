import { ProblemError } from '@pawl/admin-client';
import type { ReleaseRequest, ReleaseView } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { print } from '../output.js';
import { problemText } from '../problem-text.js';
import { parseCount, parseVersion } from './config.command.js';
import { found } from './found.js';
import { parsePinTime, parseTime } from './later-flags.js';
import { pinText } from './pin-text.js';

interface UnpinFlags {
  readonly layer: string;
  readonly reason?: string;
  readonly expectRelease?: number;
  readonly freezeException?: string;
}

interface PinFlags extends UnpinFlags {
  readonly to?: number;
  /** Milliseconds. */
  readonly for?: number;
  readonly until?: string;
}

/** `pawl pin`, `pawl unpin`. */
export function addPin(program: Command, context: CliContext): void {
  const exception = ['--freeze-exception <text>', 'why it must go forward while frozen'] as const;
  const seen = ['--expect-release <n>', 'the release version you have seen', parseCount] as const;
  program
    .command('pin <address>')
    .description('keep this address and those below it at a version of one above, for a time')
    .requiredOption('--layer <address>', 'the address above')
    .requiredOption('--reason <text>', 'why, for whoever finds it')
    .option(
      '--to <version>',
      'that version of it; what is read here now, when left out',
      parseVersion,
    )
    .option('--for <duration>', 'for so long, 1m to 30d: 30m, 12h, 7d', parsePinTime)
    .option('--until <time>', 'until a time, with its zone: 2026-12-01T03:00Z', parseTime)
    .option(...seen)
    .option(...exception)
    .action((address: string, flags: PinFlags) => {
      const { for: expireMs, until, to } = flags;
      if ((expireMs === undefined) === (until === undefined)) {
        throw new CliError('a pin needs an end: --for 7d, or --until a time', EXIT.usage);
      }
      return act(context, address, {
        ...requestOf('pin', flags),
        ...(to === undefined ? {} : { targetVersion: to }),
        ...(expireMs === undefined ? {} : { expireMs }),
        ...(until === undefined ? {} : { until }),
      });
    });
  program
    .command('unpin <address>')
    .description('let this address and those below it have what is released above')
    .requiredOption('--layer <address>', 'the address above')
    .option('--reason <text>', 'why, for the history')
    .option(...seen)
    .option(...exception)
    .action((address: string, flags: UnpinFlags) =>
      act(context, address, requestOf('unpin', flags)),
    );
}

function requestOf(action: 'pin' | 'unpin', flags: UnpinFlags): ReleaseRequest {
  const { layer, reason, expectRelease, freezeException } = flags;
  return {
    action,
    ancestor: layer,
    ...(reason === undefined ? {} : { reason }),
    ...(expectRelease === undefined ? {} : { expectedReleaseVersion: expectRelease }),
    ...(freezeException === undefined ? {} : { freezeException }),
  };
}

async function act(context: CliContext, address: string, request: ReleaseRequest): Promise<void> {
  const client = await context.client();
  const before = await found(client.getRelease(address));
  const view = await client.release(address, request).catch((error: unknown) => {
    throw withHint(context, address, error);
  });
  const changed = before?.releaseVersion !== view.releaseVersion;
  print(context.terminal, context.format(), view, () => {
    const line = pinnedText(view, request, changed);
    if (!changed) return `nothing changed: ${line}\n`;
    const watch = context.command(`status ${view.address} --watch`);
    const end = context.command(`unpin ${view.address} --layer ${request.ancestor}`);
    const ends = request.action === 'pin' ? [`end it: ${end}`] : [];
    return [line, `watch it arrive: ${watch}`, ...ends, ''].join('\n');
  });
}

function pinnedText(
  { address, pins = [] }: ReleaseView,
  { ancestor = '' }: ReleaseRequest,
  changed: boolean,
): string {
  const pin = pins.find((one) => one.ancestor === ancestor);
  if (pin !== undefined) return pinText(address, pin);
  return `${address} is ${changed ? 'no longer' : 'not'} pinned to a version of ${ancestor}`;
}

/** Tells people what they can do about a refusal. */
function withHint(context: CliContext, address: string, error: unknown): unknown {
  if (!(error instanceof ProblemError) || context.format() !== 'table') return error;
  const { problem } = error;
  const isUnwritten = problem.code === 'not-found' && problem.detail?.includes(`at ${address}:`);
  const hint =
    problem.code === 'frozen'
      ? 'go forward all the same: with --freeze-exception and why'
      : isUnwritten === true
        ? `write it: echo '{}' | ${context.command(`config put ${address} -f -`)}\nwhat is known: ${context.command('scopes')}`
        : undefined;
  if (hint === undefined) return error;
  return new CliError(`${problemText(problem)}\n${hint}`, EXIT.error, problem);
}
