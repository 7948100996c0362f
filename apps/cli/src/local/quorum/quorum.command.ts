import { describeQuorumSettings } from '@pawl/platform';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from '../../context.js';
import { memberLog } from './member-log.js';
import { quorumSettings } from './quorum-settings.js';
import type { QuorumFlags } from './quorum-settings.js';
import { runQuorum } from './run-quorum.js';

/** How long a reader of the output may hold up the end. */
const FLUSH_MS = 1_000;

/** `pawl quorum`: a member of the metadata quorum with its coordination API, and nothing else. */
export function addQuorum(program: Command, context: CliContext): void {
  const quorum = program
    .command('quorum')
    .description(
      'run a member of the metadata quorum with its coordination API (etcd v3) alone, until SIGTERM or Ctrl-C',
    );
  for (const { name, option, isSwitch, description, default: preset } of describeQuorumSettings()) {
    const shown = isSwitch || preset === null ? '' : ` (default: ${preset})`;
    quorum.addOption(
      new Option(`--${option}${isSwitch ? '' : ' <value>'}`, `${description}${shown} [${name}]`),
    );
  }
  quorum.action(async (flags: QuorumFlags) => {
    const { settings, warnings } = quorumSettings(context.env, flags);
    const log = memberLog({
      format: context.format() === 'json' ? 'json' : 'text',
      level: settings.logLevel,
      nodeId: settings.nodeId,
    });
    for (const warning of warnings) log.warn(warning);
    try {
      await runQuorum({ settings, log, signal: context.signal });
    } finally {
      await log.flush(FLUSH_MS);
    }
  });
}
