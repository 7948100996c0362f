import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { CliError } from '../exit-codes.js';
import { print } from '../output.js';
import { machineClock, machineTimer } from './machine.js';
import { dataFolder } from './server-url.js';

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
    .action(async (flags: { nodeId: string }) => {
      const epoch = await adopt(findMetadata(context.env), flags.nodeId);
      print(context.terminal, context.format(), { epoch }, () => {
        return `the epoch is now ${epoch}: fencing tokens given from here on are above those of the epochs before; start the node again, and it takes the installation of the PostgreSQL that it finds\n`;
      });
    });
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
      clock: machineClock,
      timer: machineTimer,
    });
    try {
      return await raiseEpoch(store);
    } finally {
      await store.close();
    }
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error));
  }
}
