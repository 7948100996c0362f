import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeWithUs } from './leash.js';

export interface TemporaryFolder {
  /** Absolute, without symbolic links. */
  readonly path: string;
  remove(): Promise<void>;
}

/** A folder of our own, mode 0700, below the system's temporary one. */
export async function makeTemporaryFolder(purpose: string): Promise<TemporaryFolder> {
  const path = await realpath(await mkdtemp(join(tmpdir(), `pawl-${purpose}-`)));
  removeWithUs(path);
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
