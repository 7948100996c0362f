import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '@pawl/contracts/node';
import { nodeFolders } from './endpoints-file.js';
import { replaceFile } from './replace-file.js';

/** Stays where `endpoints.json` goes with an orderly stop: the folder's data is still that one's. */
const NAME = 'installation.json';

/** Records in a node's data folder which installation, `<name>/<id>`, it serves. */
export async function rememberInstallation(dataDir: string, installation: string): Promise<void> {
  await makeFolder(dataDir);
  await replaceFile(join(dataDir, NAME), `${JSON.stringify({ installation }, null, 2)}\n`);
}

/**
 * Which installation nodes of a data folder served last, `<name>/<id>`; `undefined` where none did, or
 * only nodes of an earlier build.
 */
export async function knownInstallation(dataDir: string): Promise<string | undefined> {
  for (const folder of await nodeFolders(dataDir)) {
    const known = await readInstallation(folder);
    if (known !== undefined) return known;
  }
  return undefined;
}

async function readInstallation(folder: string): Promise<string | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(folder, NAME), 'utf8'));
    const installation = (value as { readonly installation?: unknown } | null)?.installation;
    return typeof installation === 'string' ? installation : undefined;
  } catch {
    return undefined;
  }
}
