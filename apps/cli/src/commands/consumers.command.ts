import { ProblemError } from '@pawl/admin-client';
import type { ConsumersThen, ConsumerThen, ConsumerView } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { plainLines, print, table } from '../output.js';
import { problemText } from '../problem-text.js';
import { ageText } from './age-text.js';
import { fromOne } from './config.command.js';
import { parsePast, PAST } from './past-time.js';

interface Flags {
  readonly at?: string;
  readonly state?: string;
  readonly workload?: string;
  readonly consumer?: string;
  readonly limit: number;
}

/** `pawl consumers`: who runs what, or ran what at a time. */
export function addConsumers(program: Command, context: CliContext): void {
  program
    .command('consumers <address>')
    .description('who runs what, or ran what at a time')
    .option('--at <time>', `what they ran then: ${PAST}`, parsePast)
    .option('--state <state>', 'applied, lagging, rejected or stale; with --at also left')
    .option('--workload <workload>', 'with --at: only this one')
    .option('--consumer <id>', 'with --at: only this one')
    .option('--limit <n>', 'how many', fromOne('a limit'), 100)
    .action(async (address: string, flags: Flags, command: Command) => {
      if (flags.at !== undefined) return showThen(context, address, { ...flags, at: flags.at });
      if (flags.workload !== undefined || flags.consumer !== undefined) {
        command.error('error: --workload and --consumer are taken with --at only');
      }
      await showNow(context, address, flags);
    });
}

async function showNow(context: CliContext, address: string, flags: Flags): Promise<void> {
  const { state, limit } = flags;
  const options = { limit, ...(state === undefined ? {} : { state: state as never }) };
  const page = await (await context.client()).consumers(address, options);
  const text = (): string =>
    table(
      ['workload', 'consumer', 'slot', 'version', 'state', 'last seen', 'reason'],
      page.items.map((item) => [
        item.workload,
        item.duplicate === true ? `${item.consumerId} (duplicate)` : item.consumerId,
        item.slot,
        versionText(item),
        item.state,
        item.lastSeenAt,
        item.reason ?? '',
      ]),
    ) + ageText(page, '\n');
  print(context.terminal, context.format(), page, text);
}

async function showThen(
  context: CliContext,
  address: string,
  flags: Flags & { readonly at: string },
): Promise<void> {
  const { at, state, workload, consumer, limit } = flags;
  const client = await context.client();
  const page = await client
    .consumersThen(address, {
      ...{ at, limit },
      ...(state === undefined ? {} : { state: state as never }),
      ...(workload === undefined ? {} : { workload }),
      ...(consumer === undefined ? {} : { consumerId: consumer }),
    })
    .catch((error: unknown) => {
      throw withoutHint(error);
    });
  print(context.terminal, context.format(), page, () => thenText(page));
  if (page.next !== undefined && context.format() === 'table') {
    context.terminal.err('there are more: a higher --limit shows them\n');
  }
}

/** Of a time that is too long ago it says what to do; which addresses there are is beside the point. */
function withoutHint(error: unknown): unknown {
  if (!(error instanceof ProblemError)) return error;
  const { problem } = error;
  const isTooEarly = problem.code === 'not-found' && problem.detail?.includes('is known since');
  if (isTooEarly !== true) return error;
  return new CliError(problemText(problem), EXIT.error, problem);
}

function thenText(page: ConsumersThen): string {
  const { at, knownSince, published, items } = page;
  const head =
    published === null
      ? `at ${at}: nothing was published, as far as consumers were told`
      : `at ${at}: snapshot ${published.version} was published, since ${published.at}`;
  if (items.length === 0) {
    return plainLines([head, `nobody of these was there then; it is known since ${knownSince}`]);
  }
  const rows = table(
    ['workload', 'consumer', 'process', 'version', 'state', 'since', 'rejected'],
    items.map((item) => [
      item.workload,
      item.consumerId,
      item.incarnation,
      item.version === 0 ? 'none yet' : versionText(item),
      item.state,
      item.since,
      item.rejected === undefined ? '' : `${item.rejected.version}: ${item.rejected.reason}`,
    ]),
  );
  return plainLines([head]) + rows;
}

/** Whether it runs the version as a candidate of a release in stages. */
function versionText({ version, cohort }: ConsumerView | ConsumerThen): string {
  return cohort === undefined ? `${version}` : `${version} (candidate)`;
}
