import { mkdir } from 'node:fs/promises';
import { inject } from 'vitest';
import { layOut } from '../../infra/dev/lib/data-folder.mjs';
import { copyFolder } from './copy-folder.js';

/**
 * Puts a PostgreSQL cluster that a start has made, and stopped, into a data folder, for what does not
 * ask how one is made: that takes two seconds of a processor.
 */
export async function layDownCluster(dataFolder: string): Promise<void> {
  await mkdir(dataFolder, { recursive: true });
  await copyFolder(inject('clusterToCopy'), layOut(dataFolder).postgres);
}
