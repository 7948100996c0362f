import type { EffectiveView, Origin } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { print, table } from '../output.js';
import { pinText } from './pin-text.js';
import { pointerOf } from './pointer-of.js';

interface ExplainFlags {
  readonly consumer?: string;
  readonly workload?: string;
}

/** `pawl explain`: which address, version and author set each value. */
export function addExplain(program: Command, context: CliContext): void {
  program
    .command('explain <address>')
    .argument(
      '[where]',
      'only there: keys with dots between them (limits.maxItems; \\. is a dot inside a key), or a JSON Pointer (/limits/maxItems)',
    )
    .description('who set each value that is read here')
    .option('--consumer <id>', 'as this consumer reads it, be it a candidate or not')
    .option('--workload <name>', 'of this workload, where several have a consumer of that name')
    .action(async (address: string, where: string | undefined, flags: ExplainFlags) => {
      const { consumer: consumerId, workload } = flags;
      if (workload !== undefined && consumerId === undefined) {
        throw new CliError('--workload needs the consumer: --consumer <id>', EXIT.usage);
      }
      const pointer = where === undefined ? undefined : pointerOf(where);
      const client = await context.client();
      const view = await client.effective(address, {
        explain: true,
        ...(consumerId === undefined ? {} : { consumerId }),
        ...(workload === undefined ? {} : { workload }),
      });
      const entries = Object.entries(view.explain ?? {}).filter(
        ([at]) => pointer === undefined || at === pointer || at.startsWith(`${pointer}/`),
      );
      if (pointer !== undefined && entries.length === 0) {
        throw new CliError(`nothing is set at ${pointer} of ${address}`);
      }
      print(context.terminal, context.format(), forMachines(entries, view), () =>
        table(
          ['where', 'value', 'set by', 'version', 'author'],
          entries.map(([at, origin]) => [
            at,
            JSON.stringify(valueAt(view.document, at)),
            origin.address,
            origin.version,
            origin.author,
          ]),
        ),
      );
      if (context.format() === 'table') {
        for (const pin of view.pins ?? []) {
          context.terminal.err(`note: ${pinText(pin.pinnedAt, pin)}\n`);
        }
      }
      if (consumerId !== undefined && context.format() === 'table') {
        context.terminal.err(cohortNote(consumerId, view));
      }
    });
}

/** By pointer; `pins` and `cohort`, which are none, beside them. */
function forMachines(
  entries: readonly (readonly [string, Origin])[],
  { pins, cohort }: EffectiveView,
): unknown {
  return {
    ...Object.fromEntries(entries),
    ...(pins === undefined ? {} : { pins }),
    ...(cohort === undefined ? {} : { cohort }),
  };
}

function cohortNote(consumerId: string, { cohort }: EffectiveView): string {
  return cohort === undefined
    ? `note: ${consumerId} is a candidate of no release\n`
    : `note: ${consumerId} is a candidate of ${cohort.split('+').join(' and ')}\n`;
}

function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    value = (value as Readonly<Record<string, unknown>> | null)?.[key];
  }
  return value;
}
