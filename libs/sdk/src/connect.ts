import { randomUUID } from 'node:crypto';
import { backgroundTimer, foregroundTimer, sha256, systemClock } from '@pawl/contracts/node';
import { FileCache } from './cache/file-cache.js';
import { ownProcessEnds } from './cache/process-ends.js';
import { NatsLink } from './nats/nats-link.js';
import { checkOptions } from './options.js';
import type { CheckedOptions, ConnectOptions } from './options.js';
import type { PawlError } from './errors.js';
import { PawlClient } from './session/pawl-client.js';
import { systemRng } from './system-rng.js';
import type { Pawl } from './types.js';

/**
 * Makes a consumer. Rejects only for bad options (`bad-options`); the network is tried for ever in
 * the background. A consumer that is connected keeps the process alive until it is closed.
 */
export async function connect(options: ConnectOptions): Promise<Pawl> {
  const checked = checkOptions(options);
  const problems: PawlError[] = [];
  let report = (problem: PawlError): void => void problems.push(problem);
  const cache = openCache(checked, (problem) => report(problem));
  const { consumerId, workload } = checked;
  const link = new NatsLink({
    connection: {
      ...checked.servers,
      ...checked.nats,
      name: `pawl-sdk ${workload ?? ''}/${consumerId}`,
    },
    timer: backgroundTimer,
    rng: systemRng,
  });
  const { labels, build } = checked;
  const identity = { consumerId, incarnation: randomUUID(), labels, build };
  const client = new PawlClient(
    { ...checked, identity },
    {
      clock: systemClock,
      foreground: foregroundTimer,
      background: backgroundTimer,
      rng: systemRng,
      sha256,
      link,
      cache,
    },
  );
  report = (problem) => client.report(problem);
  problems.forEach(report);
  return client;
}

async function openCache(
  { cacheDir, consumerId, installation, crashLoop, build }: CheckedOptions,
  onProblem: (problem: PawlError) => void,
): Promise<FileCache | undefined> {
  if (cacheDir === undefined) return undefined;
  return FileCache.open({
    ...{ cacheDir, consumerId, installation, crashLoop, build, sha256, onProblem },
    ...{ timer: backgroundTimer, clock: systemClock, ends: ownProcessEnds },
  });
}
