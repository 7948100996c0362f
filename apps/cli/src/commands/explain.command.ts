import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError } from '../exit-codes.js';
import { print, table } from '../output.js';
import { pointerOf } from './pointer-of.js';

/** `pawl explain`: which address, version and author set each value. */
export function addExplain(program: Command, context: CliContext): void {
  program
    .command('explain <address>')
    .argument(
      '[where]',
      'only there: keys with dots between them (limits.maxItems; \\. is a dot inside a key), or a JSON Pointer (/limits/maxItems)',
    )
    .description('who set each value that is read here')
    .action(async (address: string, where: string | undefined) => {
      const pointer = where === undefined ? undefined : pointerOf(where);
      const view = await (await context.client()).effective(address, { explain: true });
      const entries = Object.entries(view.explain ?? {}).filter(
        ([at]) => pointer === undefined || at === pointer || at.startsWith(`${pointer}/`),
      );
      if (pointer !== undefined && entries.length === 0) {
        throw new CliError(`nothing is set at ${pointer} of ${address}`);
      }
      print(context.terminal, context.format(), Object.fromEntries(entries), () =>
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
    });
}

function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    value = (value as Readonly<Record<string, unknown>> | null)?.[key];
  }
  return value;
}
