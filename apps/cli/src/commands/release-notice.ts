import { ProblemError } from '@pawl/admin-client';
import type { AdminClient } from '@pawl/admin-client';
import type { DefinitionView, ReleaseView } from '@pawl/contracts';
import type { CliContext } from '../context.js';

/** Says that consumers read another version than the newest; `undefined` when they read it. */
export async function releaseNotice(
  client: AdminClient,
  { address, version }: DefinitionView,
): Promise<string | undefined> {
  try {
    return noticeText(version, await client.getRelease(address));
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}

function noticeText(newest: number, view: ReleaseView): string | undefined {
  const { state, stableVersion, candidate } = view;
  if (state === 'disabled') return `note: this is version ${newest}; the layer is disabled\n`;
  if (stableVersion === newest) return undefined;
  if (candidate !== undefined) {
    const which = candidate === newest ? 'which' : `the newest; version ${candidate}`;
    return `note: this is version ${newest}, ${which} is being released in stages\n`;
  }
  return stableVersion === null
    ? `note: this is version ${newest}; nothing is released here yet\n`
    : `note: this is version ${newest}, the newest; version ${stableVersion} runs\n`;
}

/** What to do next with what was written at the address; a line. */
export function promoteHint(context: CliContext, address: string): string {
  return `promote it: ${context.command(`promote ${address}`)}\n`;
}
