import { ProblemError } from '@pawl/admin-client';
import type { AdminClient } from '@pawl/admin-client';
import type { CliContext } from '../context.js';
import { found } from './found.js';
import { EXCEPTION } from './freeze-text.js';

/**
 * What the rollout of an address does not say: that its layer is disabled, that its newest version is
 * not what runs, or that it has no definition of its own, though consumers have it open; with a typo
 * in it they quietly read what its ancestors give. Empty when there is nothing to say, or what is
 * asked for it is down.
 */
export async function statusNote(
  context: CliContext,
  client: AdminClient,
  address: string,
): Promise<string> {
  try {
    const release = await found(client.getRelease(address));
    if (release?.state === 'disabled') {
      const words = `enable ${address}${release.frozen === undefined ? '' : ` ${EXCEPTION}`}`;
      return `note: ${address} is disabled, its layer is left out; put it back: ${context.command(words)}\n`;
    }
    const newest = await found(client.getConfig(address));
    if (newest === undefined) return await undefinedNote(client, address);
    const { version } = newest;
    const stable = release?.stableVersion ?? null;
    const { candidate, queued } = release ?? {};
    if ([stable, candidate, queued?.targetVersion].includes(version)) return '';
    const look = `what became of it: ${context.command(`config history ${address}`)}`;
    if (candidate !== undefined) {
      return `note: version ${version} is newer than version ${candidate}, which is being released in stages; ${look}\n`;
    }
    return stable === null
      ? `note: nothing is released here; version ${version} waits: ${context.command(`promote ${address}`)}\n`
      : `note: version ${version} is newer than version ${stable}, which runs; ${look}\n`;
  } catch (error) {
    if (error instanceof ProblemError) return '';
    throw error;
  }
}

/** Empty when nobody opened it. */
async function undefinedNote(client: AdminClient, address: string): Promise<string> {
  const effective = await found(client.effective(address));
  if (effective === undefined) return '';
  const layers = effective.inputs ?? [];
  const nearest = layers.findLast(({ definitionVersion }) => definitionVersion !== null);
  return nearest === undefined
    ? `note: nothing is defined at ${address}, nor above it\n`
    : `note: nothing is defined at ${address}; it reads what ${nearest.address} gives\n`;
}
