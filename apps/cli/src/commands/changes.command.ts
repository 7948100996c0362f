import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { print, table } from '../output.js';
import { fromOne } from './config.command.js';
import { parsePast, PAST } from './past-time.js';
import { whyText } from './why-text.js';

/** `pawl changes`: who changed what and why, over all addresses. */
export function addChanges(program: Command, context: CliContext): void {
  program
    .command('changes')
    .description('who changed what and why, over all addresses, newest first')
    .option('--since <time>', `since then: ${PAST}`, parsePast, '1h')
    .option('--limit <n>', 'how many', fromOne('a limit'), 100)
    .action(async (flags: { since: string; limit: number }) => {
      const page = await (await context.client()).changes(flags);
      print(context.terminal, context.format(), page, () => {
        if (page.items.length === 0) return `nothing has changed since ${flags.since}\n`;
        return table(
          ['when', 'who', 'where', 'what', 'version', 'release version', 'why'],
          page.items.map((item) => [
            item.at,
            item.author,
            item.address,
            item.action ?? 'write',
            item.version,
            item.releaseVersion,
            whyText(item),
          ]),
        );
      });
      if (page.next !== undefined && context.format() === 'table') {
        context.terminal.err(`there are more: a higher --limit shows them\n`);
      }
    });
}
