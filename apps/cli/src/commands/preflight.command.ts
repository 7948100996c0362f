import type { PreflightRequest, PreflightView } from '@pawl/contracts';
import { PREFLIGHT_MS } from '@pawl/contracts';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { print, table } from '../output.js';
import { parseVersion } from './config.command.js';
import { parseDuration } from './duration.js';

interface PreflightFlags {
  readonly to?: number;
  readonly workload?: string;
  readonly timeout?: number;
}

/** Consumers that are named on a terminal, of each kind. */
const SHOWN = 20;

/** `pawl preflight`: what the consumers make of a release before it is made; the exit code tells. */
export function addPreflight(program: Command, context: CliContext): void {
  program
    .command('preflight <address>')
    .description(
      'ask all consumers whether they would take a version; changes nothing (exit code 4: not all)',
    )
    .option('--to <version>', 'the version; the newest unless told', parseVersion)
    .option('--workload <name>', 'ask only the consumers of this workload')
    .addOption(
      new Option(
        '--timeout <duration>',
        'how long an instance has to answer (preset: 3s)',
      ).argParser(parseTimeout),
    )
    .action(async (address: string, { to, workload, timeout }: PreflightFlags) => {
      const request: PreflightRequest = {
        ...(to === undefined ? {} : { targetVersion: to }),
        ...(workload === undefined ? {} : { workload }),
        ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      };
      const view = await (await context.client()).preflight(address, request);
      print(context.terminal, context.format(), view, () => preflightText(view));
      if (!view.valid) throw new CliError(whyNot(view), EXIT.rejected);
    });
}

function parseTimeout(text: string): number {
  const ms = parseDuration(text);
  const { least, most } = PREFLIGHT_MS;
  if (ms >= least && ms <= most) return ms;
  throw new InvalidArgumentError(`a time to wait is ${least}ms to ${most / 1_000}s`);
}

function preflightText(view: PreflightView): string {
  const { addresses, byBuild, rejections, reasons, unsure } = view;
  const { asked, accepted } = view.consumers;
  const below = addresses.length === 1 ? '' : ` and ${addresses.length - 1} below`;
  if (!isChange(view)) return `${view.address} version ${view.version}${below}: nothing changes\n`;
  const lines = [
    `${view.address} version ${view.version}${below}: ${accepted} of ${asked} live consumers would take it`,
  ];
  const parts = [`${lines.join('\n')}\n`];
  if (byBuild.length > 0) {
    const headings = ['workload', 'build', 'zone', 'accepted', 'rejected', 'cannot say', 'silent'];
    const rows = byBuild.map((row) => [
      ...[row.workload, row.build, row.zone],
      ...[row.accepted, row.rejected, row.cannotSay, row.silent],
    ]);
    parts.push(table(headings, rows));
  }
  if (rejections.length > 0) {
    const rows = rejections
      .slice(0, SHOWN)
      .map((one) => [
        ...[one.workload, one.consumerId, one.build, one.address],
        ...[one.pointer, one.reason],
      ]);
    const headings = ['rejected by', 'consumer', 'build', 'address', 'pointer', 'reason'];
    parts.push(table(headings, rows));
    if (rejections.length > SHOWN) {
      const rest = reasons.map(({ reason, count }) => [count, reason]);
      parts.push(table(['times', 'reason'], rest));
    }
  }
  if (unsure.length > 0) {
    const rows = unsure
      .slice(0, SHOWN)
      .map((one) => [
        ...[one.workload, one.consumerId, one.build, one.address],
        ...[one.answer, one.reason],
      ]);
    const headings = ['unsure', 'consumer', 'build', 'address', 'answer', 'reason'];
    parts.push(table(headings, rows));
    if (unsure.length > SHOWN) parts.push(`… and ${unsure.length - SHOWN} more\n`);
  }
  return parts.join('\n');
}

/** Whether anybody, of those who are not there either, would read something else. */
function isChange({ addresses }: PreflightView): boolean {
  return addresses.some(({ changed }) => changed);
}

function whyNot(view: PreflightView): string {
  if (view.void === true) {
    return 'something else that is read there was released meanwhile: the answers say nothing, ask again';
  }
  const { asked, rejected, cannotSay, silent } = view.consumers;
  if (asked === 0) {
    return 'nobody was asked: no live consumer is there who would read something else; nothing was changed';
  }
  const parts = [
    ...(rejected > 0 ? [`${rejected} would reject it`] : []),
    ...(cannotSay > 0 ? [`${cannotSay} cannot say`] : []),
    ...(silent > 0 ? [`${silent} did not answer`] : []),
  ];
  return `not all would take it: ${parts.join(', ')}; nothing was changed`;
}
