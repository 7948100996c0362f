import type { PreviewPromote, PreviewStage, PreviewView } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { plainLines, print, table } from '../output.js';
import { durationText } from './duration.js';
import { found } from './found.js';
import { stepLines } from './freeze-text.js';
import { abortedText, stageText } from './staged-text.js';

/** Workloads, addresses and instances that are named of a stage. */
const MAX_NAMED = 3;

/** Says whom a promote would reach at each of its stages; changes nothing. */
export async function previewPromote(
  context: CliContext,
  address: string,
  promote: PreviewPromote,
): Promise<void> {
  const client = await context.client();
  const view = await client.preview(address, { promote });
  const isStaged = view.strategy !== undefined && promote.at === undefined;
  const asks = isStaged && context.format() === 'table';
  const frozen = asks ? (await found(client.getRelease(address)))?.frozen : undefined;
  const waits = stepLines(context, { address, ...(frozen && { frozen }) });
  print(context.terminal, context.format(), view, () =>
    previewText(address, view, { when: whenText(promote), waits }),
  );
  if (!view.valid) throw new CliError(`${address} would not be promoted`, EXIT.error);
}

/** When it begins that is asked about; empty: at once. */
function whenText({ at, conflict }: PreviewPromote): string {
  if (at !== undefined) return ` at ${at}, or after what is under way then`;
  return conflict === 'queue' || conflict === 'requeue' ? ' after what is under way' : '';
}

function previewText(
  address: string,
  view: PreviewView,
  { when, waits }: { readonly when: string; readonly waits: readonly string[] },
): string {
  const { errors, valid, stages, strategy } = view;
  if (!valid) {
    return plainLines(errors.map(errorText));
  }
  if (stages === undefined) return plainLines([`${address}: nothing would change`]);
  const changed = view.addresses.filter((one) => one.changed).length;
  const by = strategy === undefined || strategy === 'inline' ? '' : ` by ${strategy}`;
  const head = `${address}: would be promoted${by}${when}; addresses that read differently then: ${changed}`;
  const rows = stages.map((stage) => [
    String(stage.stage + 1),
    stageText(stage),
    durationText(stage.bakeMs),
    stage.instances,
    named(stage.byWorkload, (one) => `${one.workload} ${one.instances} of ${one.of}`),
    named(stage.addresses, (one) => `${one.address} ${one.instances}`),
    firstText(stage),
  ]);
  const headings = ['stage', 'share', 'bake', 'instances', 'workloads', 'addresses', 'adds'];
  const { pinned = 0 } = view;
  const stay =
    pinned === 0 ? [] : [`addresses below that stay at a version that is pinned: ${pinned}`];
  const aborts = (view.aborted ?? []).map((one) => `would be aborted with it: ${abortedText(one)}`);
  return (
    plainLines([head, ...waits, ...stay, ...aborts]) +
    table(headings, rows) +
    plainLines(['nothing was changed'])
  );
}

/** A message that begins with the address names it already. */
function errorText({ address, pointer, message }: PreviewView['errors'][number]): string {
  const at = `${address}${pointer}`;
  return message.startsWith(`${at} `) ? message : `${at}: ${message}`;
}

function firstText({ added, instances }: PreviewStage): string {
  const names = added.slice(0, MAX_NAMED).map((one) => `${one.workload}/${one.consumerId}`);
  if (names.length === 0) return instances === 0 ? 'nobody' : 'nobody more';
  return added.length > MAX_NAMED ? `${names.join(', ')}, …` : names.join(', ');
}

function named<T>(items: readonly T[], text: (item: T) => string): string {
  const told = items.slice(0, MAX_NAMED).map(text);
  const more = items.length - told.length;
  return more === 0 ? told.join(', ') : `${told.join(', ')} and ${more} more`;
}
