import type { CliContext } from '../../context.js';
import { memberLog } from './member-log.js';
import { quorumSettings } from './quorum-settings.js';
import type { QuorumFlags } from './quorum-settings.js';
import { runQuorum } from './run-quorum.js';

/** How long a reader of the output may hold up the end. */
const FLUSH_MS = 1_000;

/** Runs a member as options and environment say, until the command's signal. */
export async function runMember(context: CliContext, flags: QuorumFlags): Promise<void> {
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
}
