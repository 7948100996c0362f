import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, replaceFile } from './files.mjs';
import { REPOSITORY } from './repository.mjs';

/** What a bundle was made of; written last. */
const recordOf = (/** @type {string} */ file) => `${file}.inputs.json`;
/** Whatever else decides what a bundle holds. */
const RECIPE = [
  'package-lock.json',
  'infra/dev/lib/bundle.mjs',
  'infra/dev/lib/repository.mjs',
  'infra/dev/lib/write-bundle.mjs',
].map((path) => join(REPOSITORY, path));

/**
 * Whether a bundle is that of the modules as they were last compiled.
 *
 * @param {string} file of the bundle
 * @returns {Promise<boolean>}
 */
export async function isBundled(file) {
  const record = await readJson(recordOf(file));
  if (!Array.isArray(record?.modules) || !existsSync(file)) return false;
  return record.key === (await keyOf(record.modules));
}

/**
 * Notes that the bundle holds these modules of ours.
 *
 * @param {string} file of the bundle
 * @param {readonly string[]} modules paths in the repository
 * @param {string | undefined} key of before they were read
 */
export async function recordBundle(file, modules, key) {
  await replaceFile(recordOf(file), JSON.stringify({ key, modules }));
}

/**
 * What the recipe and the modules are now, by size and time; `undefined` when one is not there.
 *
 * @param {readonly string[]} modules paths in the repository
 * @returns {Promise<string | undefined>}
 */
export async function keyOf(modules) {
  const hash = createHash('sha256');
  try {
    for (const path of RECIPE) hash.update(await readFile(path));
    for (const path of modules) {
      const { size, mtimeMs } = await stat(join(REPOSITORY, path));
      hash.update(`${path} ${size} ${mtimeMs}\n`);
    }
  } catch {
    return undefined;
  }
  return hash.digest('hex');
}
