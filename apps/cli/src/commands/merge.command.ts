import type { AdminClient } from '@pawl/admin-client';
import type { MergeRequest, MergeView, WrittenView } from '@pawl/contracts';
import { SCHEMA_PART } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError } from '../exit-codes.js';
import { print, table } from '../output.js';
import { collect } from './collect.js';
import { parseCount, parseVersion } from './config.command.js';
import { patchLines, shownPlace, valueText } from './patch-lines.js';
import { pointerOf } from './pointer-of.js';
import { promoteHint, releaseNotice } from './release-notice.js';

interface MergeFlags {
  readonly fromVersion?: number;
  readonly base?: number;
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
  readonly dryRun?: true;
  readonly message?: string;
}

/** `pawl merge FROM TO`: what changed at one address, merged onto another. */
export function addMerge(program: Command, context: CliContext): void {
  program
    .command('merge <from> <to>')
    .description('merge what changed at one address, such as staging, onto another')
    .option(
      '--from-version <n>',
      'up to this version of FROM; the newest unless told',
      parseVersion,
    )
    .option(
      '--base <n>',
      'count from this version of FROM, 0: nothing; else the last merged',
      parseCount,
    )
    .option('--ours <place>', 'keep what TO has there, and below (may be repeated)', collect, [])
    .option(
      '--theirs <place>',
      'take what FROM has there, and below (may be repeated)',
      collect,
      [],
    )
    .option('--dry-run', 'only show what would be written')
    .option('-m, --message <text>', 'why')
    .addHelpText(
      'after',
      `\nA place is a JSON Pointer (/limits/max), a path (limits.max), "" for all, or ${SCHEMA_PART}.`,
    )
    .action((from: string, to: string, flags: MergeFlags) => merge(context, { from, to }, flags));
}

interface Ends {
  readonly from: string;
  readonly to: string;
}

async function merge(context: CliContext, ends: Ends, flags: MergeFlags): Promise<void> {
  const client = await context.client();
  const isShown = context.format() === 'table';
  const wanted = requestOf(ends, flags);
  const plan = await client.planMerge(ends.to, wanted);
  const isDry = flags.dryRun === true;
  const hasConflicts = plan.conflictCount > 0;
  if (isShown) await showPlan(context, client, plan);
  if (hasConflicts || isDry || !plan.changed) {
    print(context.terminal, context.format(), plan, () =>
      hasConflicts ? '' : endText(plan, isDry),
    );
    if (hasConflicts && !(isDry && !isShown)) throw new CliError(whatNow(context, ends, plan));
    return;
  }
  const written = await client.merge(ends.to, asPlanned(wanted, plan), {
    expect: plan.version === 0 ? 'none' : plan.version,
    ...(flags.message === undefined ? {} : { message: flags.message }),
  });
  print(context.terminal, context.format(), written, () => writtenText(context, written));
}

function requestOf({ from }: Ends, { fromVersion, base, ours, theirs }: MergeFlags): MergeRequest {
  const sides = [
    ...ours.map((place) => [placeOf(place), 'ours'] as const),
    ...theirs.map((place) => [placeOf(place), 'theirs'] as const),
  ];
  return {
    from,
    ...(fromVersion === undefined ? {} : { fromVersion }),
    ...(base === undefined ? {} : { baseVersion: base }),
    ...(sides.length === 0 ? {} : { resolve: Object.fromEntries(sides) }),
  };
}

/** What was shown is what is written, whatever is written at the source meanwhile. */
function asPlanned(request: MergeRequest, { origin }: MergeView): MergeRequest {
  const { version: fromVersion, baseVersion } = origin;
  return { ...request, fromVersion, baseVersion };
}

function placeOf(place: string): string {
  return place === SCHEMA_PART ? place : pointerOf(place);
}

async function showPlan(context: CliContext, client: AdminClient, plan: MergeView): Promise<void> {
  const { origin, address, version, patch } = plan;
  const source = await client.getConfig(origin.address, origin.version);
  context.terminal.err((await releaseNotice(client, source)) ?? '');
  const before = version === 0 ? {} : (await client.getConfig(address, version)).document;
  const since = origin.baseVersion === 0 ? '' : `from version ${origin.baseVersion} `;
  const onto = version === 0 ? 'where nothing is yet' : `version ${version}`;
  const { terminal } = context;
  terminal.out(`${origin.address} ${since}to ${origin.version}, onto ${address} ${onto}\n`);
  terminal.out(patchLines(before, patch));
  if (plan.schema === 'taken') terminal.out('  ~ the schema comes along\n');
  if (plan.keptCount > 0) {
    const more =
      plan.keptCount > plan.kept.length ? ` and ${plan.keptCount - plan.kept.length} more` : '';
    terminal.out(`stays as it is, being local: ${plan.kept.map(shownPlace).join(', ')}${more}\n`);
  }
  for (const warning of plan.warnings) {
    terminal.out(`warning: ${warning.address} ${warning.pointer}: ${warning.message}\n`);
  }
  if (plan.conflictCount > 0) terminal.out(`\n${conflictTable(plan)}`);
}

function conflictTable({ conflicts, conflictCount, origin, address }: MergeView): string {
  const base = origin.baseVersion === 0 ? 'before' : `at ${origin.baseVersion}`;
  const headings = ['conflict', base, `theirs, ${origin.address}`, `ours, ${address}`];
  const rows = conflicts.map(({ part, pointer, base: former, theirs, ours }) =>
    part === 'schema'
      ? [SCHEMA_PART, '…', '…', '…']
      : [shownPlace(pointer), ...[former, theirs, ours].map(valueText)],
  );
  const rest = conflictCount - conflicts.length;
  return `${table(headings, rows)}${rest > 0 ? `… and ${rest} more\n` : ''}`;
}

function whatNow(context: CliContext, { from, to }: Ends, plan: MergeView): string {
  const [first] = plan.conflicts;
  const place = first?.part === 'schema' ? SCHEMA_PART : (first?.pointer ?? '');
  const words = `merge ${from} ${to} --base ${plan.origin.baseVersion} --from-version ${plan.origin.version}`;
  const how = `'${place.replaceAll("'", "'\\''")}'`;
  return (
    `${plan.conflictCount} changes meet others at ${to}; nothing was written. Say for each place which side counts: ` +
    `${context.command(`${words} --theirs ${how}`)} (or --ours)`
  );
}

function endText(plan: MergeView, isDry: boolean): string {
  if (!plan.changed) return `nothing changes at ${plan.address}\n`;
  return isDry ? 'nothing was written\n' : '';
}

function writtenText(context: CliContext, { address, version }: WrittenView): string {
  return `${address} version ${version}\n${promoteHint(context, address)}`;
}
