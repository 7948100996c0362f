import type { RestoreView } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError } from '../exit-codes.js';
import { print, table } from '../output.js';

interface AcceptFlags {
  readonly reason: string;
  readonly yes?: true;
}

/** `pawl restore`: what a PostgreSQL that was restored lacks, and accepting that. */
export function addRestore(program: Command, context: CliContext): void {
  const restore = program
    .command('restore')
    .description('what PostgreSQL lacks after it was restored from an older copy; accepting that');
  restore
    .command('status')
    .description('shards that are read-only, and what was seen that PostgreSQL does not have')
    .action(async () => {
      const view = await (await context.client()).restoreStatus();
      print(context.terminal, context.format(), view, () => statusText(context, view));
    });
  restore
    .command('accept')
    .description('take PostgreSQL as the truth as it is: what it lacks is lost')
    .requiredOption('--reason <text>', 'why, for the history')
    .option('--yes', 'do not ask')
    .action((flags: AcceptFlags) => accept(context, flags));
}

/** Accepts what it shows: where it is another by then, nothing is changed. */
async function accept(context: CliContext, { reason, yes }: AcceptFlags): Promise<void> {
  const client = await context.client();
  const { terminal } = context;
  const { generation, shards } = await client.restoreStatus();
  if (shards.length > 0) {
    terminal.err(statusText(context, { generation, shards }));
    const answer = yes === true ? 'yes' : await terminal.ask('lose this for good? (yes) ');
    if (answer?.trim() !== 'yes') {
      throw new CliError('nothing was changed: answer yes, or add --yes, to lose this for good');
    }
  }
  const seen = { generation, shards: shards.map(({ shard }) => shard) };
  const view = await client.acceptRestore({ reason, ...seen });
  print(context.terminal, context.format(), view, () =>
    view.accepted
      ? `accepted: everything that PostgreSQL holds is published anew under generation ${view.generation}; consumers of addresses that it does not know keep what they run\n`
      : `nothing is behind, nothing was changed (generation ${view.generation})\n`,
  );
}

function statusText(context: CliContext, { generation, shards }: RestoreView): string {
  if (shards.length === 0) return `nothing is behind (generation ${generation})\n`;
  const rows = shards.flatMap(({ shard, behind: { remembered, addresses } }) => [
    ...(remembered === undefined
      ? []
      : [[shard, '', markText(remembered), markText(remembered.has)]]),
    ...addresses.map(({ address, held, has }) => [
      shard,
      address,
      versionText(held),
      versionText(has),
    ]),
  ]);
  const heads = ['shard', 'address', 'seen', 'PostgreSQL has'];
  return [
    `PostgreSQL (generation ${generation}) lacks what was seen elsewhere; ${shards.length === 1 ? '1 shard is' : `${shards.length} shards are`} read-only\n`,
    table(heads, rows),
    `restore a newer copy, or accept the loss: ${context.command("restore accept --reason 'why'")}\n`,
  ].join('');
}

function markText(mark: {
  readonly generation: number;
  readonly commits: number;
  readonly fencingToken: string;
}): string {
  return `${mark.commits} commits, token ${mark.fencingToken}, generation ${mark.generation}`;
}

function versionText(seen: { readonly generation: number; readonly version: number }): string {
  return `snapshot version ${seen.version}, generation ${seen.generation}`;
}
