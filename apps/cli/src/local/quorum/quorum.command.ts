import { describeQuorumSettings } from '@pawl/platform/local';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { CliContext } from '../../context.js';
import type { QuorumFlags } from './quorum-settings.js';

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
    const { runMember } = await import('./run-member.js');
    await runMember(context, flags);
  });
}
