import type { Command } from 'commander';
import { fromOne } from '../../commands/config.command.js';
import type { CliContext } from '../../context.js';
import type { WalFlags } from './inspect-folder.js';

const SHOWN_RECORDS = 100;

/** `pawl debug wal|snapshot|raft`: what a quorum's member has on disk, read and never changed. */
export function addDebug(program: Command, context: CliContext): void {
  const debug = program
    .command('debug')
    .description('what a member of the quorum has on disk, of a stopped node or of a copy');
  debug
    .command('wal <folder>')
    .description('the write-ahead log: segments and records')
    .option(
      '--from <index>',
      'begin with the first entry of at least this index',
      fromOne('an index'),
    )
    .option('--limit <n>', 'how many records', fromOne('a limit'), SHOWN_RECORDS)
    .action(async (folder: string, flags: WalFlags) => {
      const { explained, showWal } = await import('./inspect-folder.js');
      await explained(() => showWal(context, folder, flags));
    });
  debug
    .command('snapshot <folder>')
    .description('snapshot files, newest first')
    .action(async (folder: string) => {
      const { explained, showSnapshots } = await import('./inspect-folder.js');
      await explained(() => showSnapshots(context, folder));
    });
  debug
    .command('raft <folder>')
    .description('what the node would start from: term, vote, commit, members, and problems')
    .action(async (folder: string) => {
      const { explained, showRaft } = await import('./inspect-folder.js');
      await explained(() => showRaft(context, folder));
    });
}
