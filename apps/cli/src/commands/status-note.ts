import { ProblemError } from '@pawl/admin-client';
import type { AdminClient } from '@pawl/admin-client';
import type { CliContext } from '../context.js';
import { found } from './found.js';

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
      return `note: ${address} is disabled, its layer is left out; put it back: ${context.command(`enable ${address}`)}\n`;
    }
    const newest = await found(client.getConfig(address));
    if (newest === undefined) return await undefinedNote(client, address);
    const { version } = newest;
    const stable = release?.stableVersion ?? null;
    const { candidate, queued } = release ?? {};
    if ([stable, candidate, queued?.targetVersion].includes(version)) return '';
    if (release?.candidate !== undefined) {
      return `note: version ${version} is written and not released; version ${release.candidate} is being released in stages\n`;
    }
    return stable === null
      ? `note: nothing is released here; version ${version} waits: ${context.command(`promote ${address}`)}\n`
      : `note: version ${version} is written and not released; version ${stable} runs\n`;
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
