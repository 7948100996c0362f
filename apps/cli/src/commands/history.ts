import type { HistoryItem } from '@pawl/contracts';
import type { CliContext } from '../context.js';
import { print, table } from '../output.js';
import { whyText } from './why-text.js';

function originText({ origin }: HistoryItem): string {
  return origin === undefined ? '' : `from ${origin.address}@${origin.version}`;
}

export async function listHistory(
  context: CliContext,
  address: string,
  limit: number,
): Promise<void> {
  const page = await (await context.client()).history(address, { limit });
  print(context.terminal, context.format(), page, () =>
    table(
      ['when', 'who', 'what', 'version', 'release version', 'why'],
      page.items.map((item) => [
        item.at,
        item.author,
        item.action ?? 'write',
        item.version,
        item.releaseVersion,
        [originText(item), whyText(item)].filter(Boolean).join(': '),
      ]),
    ),
  );
  if (page.next !== undefined && context.format() === 'table') {
    context.terminal.err('there are more: a higher --limit shows them\n');
  }
}
