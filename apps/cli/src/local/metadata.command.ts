import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError, EXIT } from '../exit-codes.js';
import { print } from '../output.js';
import type { Terminal } from '../terminal.js';
import { systemClock, foregroundTimer } from '@pawl/contracts/node';
import { dataFolder } from './data-folder.js';

/** `pawl metadata adopt`: works on the data folder of a node that is stopped. */
export function addMetadata(program: Command, context: CliContext): void {
  const metadata = program
    .command('metadata')
    .description('the metadata store of a stopped node, in its data folder');
  metadata
    .command('adopt')
    .description(
      'raise the epoch and forget whose metadata this is: when this store replaces one that is lost, or when its PostgreSQL is gone for good',
    )
    .option('--node-id <id>', 'id of the node', context.env['PAWL_NODE_ID'] ?? 'node-1')
    .option('--yes', 'do not ask')
    .action(async (flags: { readonly nodeId: string; readonly yes?: true }) => {
      const folder = findMetadata(context.env);
      if (flags.yes !== true) await confirm(context.terminal, folder);
      const epoch = await adopt(folder, flags.nodeId);
      print(context.terminal, context.format(), { epoch }, () => {
        return `the epoch is now ${epoch}: fencing tokens given from here on are above those of the epochs before; start the node again, and it takes the installation of the PostgreSQL that it finds\n`;
      });
    });
}

/** Goes on only once a person has said so. */
async function confirm(terminal: Terminal, folder: string): Promise<void> {
  terminal.err(
    `this raises the epoch of ${folder}: once the node is started, what it claims fences every other owner, those that run now too; and it forgets whose metadata this is, and which commits were seen\n`,
  );
  const answer = await terminal.ask('adopt it? (yes) ');
  if (answer === null) {
    throw new CliError('nothing was changed: nobody can be asked here; add --yes', EXIT.usage);
  }
  if (answer.trim() !== 'yes') throw new CliError('nothing was changed: answer yes, or add --yes');
}

/** Only what is there: a store made in the wrong folder would adopt nothing. */
function findMetadata(env: CliContext['env']): string {
  const folder = join(dataFolder(env), 'metadata');
  if (existsSync(folder)) return folder;
  throw new CliError(
    `there is no metadata store at ${folder}; name the node's data folder with PAWL_DATA_DIR`,
  );
}

async function adopt(dataDir: string, nodeId: string): Promise<number> {
  const { openMetadata, raiseEpoch } = await import('@pawl/metadata');
  try {
    const store = await openMetadata({
      dataDir,
      nodeId,
      clock: systemClock,
      timer: foregroundTimer,
    });
    try {
      return await raiseEpoch(store);
    } finally {
      await store.close();
    }
  } catch (error) {
    throw new CliError(
      inUseText(error) ?? (error instanceof Error ? error.message : String(error)),
    );
  }
}

/** Of a node that runs: what its own start would advise, another folder, adopts nothing. */
function inUseText(error: unknown): string | undefined {
  const { name, pid, lockFile } = error as { name?: string; pid?: number; lockFile?: string };
  if (name !== 'FolderInUseError') return undefined;
  return `nothing was changed: the node runs (process ${pid}), and adopting is for one that is stopped: stop it in order (Ctrl-C where npm start runs; a node that is ended alone is started again there), then adopt, then start it (if no such process of Pawl runs, remove ${lockFile})`;
}
