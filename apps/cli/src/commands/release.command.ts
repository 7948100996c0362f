import { ProblemError } from '@pawl/admin-client';
import type { AdminClient } from '@pawl/admin-client';
import type { ReleaseRequest, ReleaseView } from '@pawl/contracts';
import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { print } from '../output.js';
import { parseCount, parseVersion } from './config.command.js';

interface ReleaseFlags {
  readonly to?: number;
  readonly expectRelease?: number;
  readonly reason?: string;
  readonly force?: true;
}

/** What consumers may notice. */
const ARRIVING: readonly string[] = ['promote', 'rollback', 'disable', 'enable'];

/** `pawl promote|rollback|disable|enable|block|unblock`. */
export function addRelease(program: Command, context: CliContext): void {
  const act = (action: string) => async (address: string, flags: ReleaseFlags) => {
    const { to, expectRelease, reason, force } = flags;
    const request: ReleaseRequest = {
      action,
      ...(to === undefined ? {} : { targetVersion: to }),
      ...(expectRelease === undefined ? {} : { expectedReleaseVersion: expectRelease }),
      ...(reason === undefined ? {} : { reason }),
      ...(force === true ? { force } : {}),
    };
    const client = await context.client();
    const before = await releaseBefore(client, address);
    const view = await client.release(address, request);
    const changed = before?.releaseVersion !== view.releaseVersion;
    print(context.terminal, context.format(), view, () => {
      if (!changed) return `nothing changed: ${releaseText(view)}\n`;
      const hint = ARRIVING.includes(action)
        ? `watch it arrive: ${context.command(`status ${view.address} --watch`)}\n`
        : '';
      return `${releaseText(view)}\n${hint}`;
    });
  };
  const command = (name: string, description: string): Command =>
    program
      .command(`${name} <address>`)
      .description(description)
      .option('--reason <text>', 'why, for the history')
      .option('--expect-release <n>', 'the release version you have seen', parseCount);
  const version = ['--to <version>', 'the version', parseVersion] as const;
  command('promote', 'release the newest version, or another, to everybody')
    .option(...version)
    .action(act('promote'));
  command('rollback', 'go back to an earlier version')
    .requiredOption(...version)
    .option('--force', 'also where a schema is broken; needs a reason')
    .action(act('rollback'));
  command('disable', 'take this layer out').action(act('disable'));
  command('enable', 'put this layer back').action(act('enable'));
  command('block', 'forbid that a version is released')
    .requiredOption(...version)
    .action(act('block'));
  command('unblock', 'allow it again')
    .requiredOption(...version)
    .action(act('unblock'));
}

/** `undefined` where it is refused: the transition itself then says why. */
async function releaseBefore(
  client: AdminClient,
  address: string,
): Promise<ReleaseView | undefined> {
  try {
    return await client.getRelease(address);
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

function releaseText(view: ReleaseView): string {
  const stable = view.stableVersion === null ? 'nothing' : `version ${view.stableVersion}`;
  const forced = view.forced === true ? ', forced against a schema' : '';
  const blocked = view.blockedVersions ?? [];
  const without = blocked.length === 0 ? '' : `, blocked: ${blocked.join(', ')}`;
  return `${view.address} is ${view.state} at ${stable} (release ${view.releaseVersion}${forced}${without})`;
}
