import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';

/**
 * Replaces a file whole: a reader, or a crash, never meets half of it.
 *
 * @param {string} path
 * @param {string} text
 * @param {number} [mode]
 */
export async function replaceFile(path, text, mode = 0o644) {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * The JSON in a file; `undefined` when the file is missing, unreadable or not JSON.
 *
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function readJson(path) {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * The text of a file; `undefined` when it cannot be read.
 *
 * @param {string} path
 */
export function readTextSync(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
