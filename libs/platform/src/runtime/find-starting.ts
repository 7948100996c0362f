import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '@pawl/contracts/node';
import type { WrittenIdentity } from '@pawl/contracts/node';
import { listEndpoints, writerOf } from './endpoints-file.js';

/** What is starting on a data folder. */
export interface Starting {
  readonly pid: number;
  /** Whether a member of the quorum is there already, and can be asked about it. */
  readonly hasMember: boolean;
}

/**
 * What is starting on a data folder: `npm start`, or a node that has not come to where it listens;
 * `undefined` where nothing is. Sees processes of this machine (or container) only.
 */
export async function findStarting(dataDir: string): Promise<Starting | undefined> {
  const launcher = await startingLauncher(dataDir);
  const nodes = (await listEndpoints(dataDir))
    .filter(({ http, processes }) => http === undefined && processes['controlPlane'] !== undefined)
    .map((node) => ({ writer: writerOf(node), hasMember: node.etcd !== undefined }))
    .filter(({ writer }) => writer !== undefined && isAlive(writer));
  const pid = launcher !== undefined && isAlive(launcher) ? launcher.pid : nodes[0]?.writer?.pid;
  return pid === undefined ? undefined : { pid, hasMember: nodes.some((node) => node.hasMember) };
}

/** As `npm start` records itself in `launcher.json`. */
async function startingLauncher(dataDir: string): Promise<WrittenIdentity | undefined> {
  try {
    const record = JSON.parse(await readFile(join(dataDir, 'launcher.json'), 'utf8')) as {
      readonly phase?: unknown;
      readonly launcher?: { readonly pid?: unknown; readonly startedAt?: unknown };
    } | null;
    const { pid, startedAt } = record?.launcher ?? {};
    if (record?.phase !== 'starting' || typeof pid !== 'number') return undefined;
    return { pid, ...startOf(startedAt) };
  } catch {
    return undefined;
  }
}

/** On Linux the launcher writes `<boot>/<clock ticks>`; what it writes elsewhere is not looked at. */
function startOf(text: unknown): Omit<WrittenIdentity, 'pid'> {
  const [, boot, startedAt] = /^([^/]*)\/(\d+)$/.exec(String(text)) ?? [];
  return startedAt === undefined ? {} : { startedAt, boot: boot || null };
}
