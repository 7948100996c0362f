import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from './failure.mjs';

const PARTS = ['base', 'global', 'pg_wal', 'pg_xact'];
/** template1, template0 and postgres, which every cluster has (pg_database.dat of PostgreSQL). */
const ALWAYS_THERE = ['1', '4', '5'];

/**
 * Refuses a cluster that lost a part: PostgreSQL starts on some of them, and every client then waits
 * for a database that will never be there. What may not be read is left to others to tell.
 *
 * @param {string} folder of the cluster
 */
export async function assertWholeDatabase(folder) {
  if (!existsSync(join(folder, 'PG_VERSION'))) return;
  const names = await namesIn(folder);
  if (names === undefined) return;
  const missing = PARTS.find((part) => !names.includes(part));
  if (missing !== undefined) throw incomplete(folder, missing);
  const databases = (await namesIn(join(folder, 'base'))) ?? [];
  if (databases.some((name) => /^\d+$/.test(name) && !ALWAYS_THERE.includes(name))) return;
  throw incomplete(folder, 'the database in base');
}

/** @param {string} folder */
async function namesIn(folder) {
  try {
    return await readdir(folder);
  } catch {
    return undefined;
  }
}

/** @param {string} folder @param {string} missing */
function incomplete(folder, missing) {
  return new Failure(
    `The database folder ${folder} has lost data (${missing} is missing): restore it from a copy, ` +
      'move it away, or choose another data folder with PAWL_DATA_DIR.',
  );
}
