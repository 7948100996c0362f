import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listEndpoints } from './endpoints-file.js';

/**
 * The process that is starting on a data folder: `npm start`, or a node that has not come to where it
 * listens; `undefined` where none is. Sees processes of this machine (or container) only.
 */
export async function findStarting(dataDir: string): Promise<number | undefined> {
  const launcher = await startingLauncher(dataDir);
  const nodes = (await listEndpoints(dataDir)).filter(({ http }) => http === undefined);
  const pids = [launcher, ...nodes.map(({ processes }) => processes['controlPlane'])];
  return pids.find((pid) => pid !== undefined && isAlive(pid));
}

/** As `npm start` records itself in `launcher.json`. */
async function startingLauncher(dataDir: string): Promise<number | undefined> {
  try {
    const record = JSON.parse(await readFile(join(dataDir, 'launcher.json'), 'utf8')) as {
      readonly phase?: unknown;
      readonly launcher?: { readonly pid?: unknown };
    } | null;
    const pid = record?.launcher?.pid;
    return record?.phase === 'starting' && typeof pid === 'number' ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a process of this machine (or container) has that id now. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
