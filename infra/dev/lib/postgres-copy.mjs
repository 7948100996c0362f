import { randomBytes } from 'node:crypto';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { mayEnter, mayRun } from './account.mjs';
import { Failure, fileFailure, Stopped } from './failure.mjs';
import { readJson } from './files.mjs';

/**
 * @typedef {import('./account.mjs').Account} Account
 * @typedef {import('./postgres-binaries.mjs').PostgresBinaries} PostgresBinaries
 *
 * @typedef {object} CopyOptions
 * @property {Account | undefined} account
 * @property {string} dataFolder
 * @property {AbortSignal} [signal]
 * @property {() => void} [onCopy] the programs, 60 MB, are about to be copied
 */

const LEFT_OVER_AFTER_MS = 3_600_000;

/**
 * The programs where `account` may run them. Below a folder that it cannot enter, such as root's
 * home, PostgreSQL does not find its own parts, with whatever capability it is started: then the
 * whole package is copied, once for each version, into the data folder or, if that is closed too,
 * beside other temporary files.
 *
 * @param {PostgresBinaries} binaries
 * @param {CopyOptions} options
 * @returns {Promise<PostgresBinaries>} rejects with `Failure` or `Stopped`
 */
export async function runnablePostgres(binaries, { account, dataFolder, signal, onCopy }) {
  if (account === undefined) return binaries;
  if (await mayRun(account, Object.values(binaries), signal)) return binaries;
  const native = dirname(dirname(binaries.postgres));
  const name = await nameOfCopy(native);
  /** @type {Error | undefined} */
  let problem;
  for (const parent of new Set([dataFolder, tmpdir(), '/var/tmp'])) {
    try {
      if (!(await isTrusted(parent)) || !(await mayEnter(account, parent, signal))) continue;
      const copy = join(parent, name);
      await placeCopy(native, copy, { ...(signal && { signal }), ...(onCopy && { onCopy }) });
      const bin = join(copy, 'bin');
      const copied = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
      if (await mayRun(account, Object.values(copied), signal)) return copied;
      await rm(copy, { recursive: true, force: true });
    } catch (error) {
      if (error instanceof Stopped) throw error;
      problem = fileFailure(error, parent, 'set TMPDIR to another folder');
    }
  }
  throw new Failure(
    `PostgreSQL runs as ${account.name}, who may not run its programs in ${native}, and there is ` +
      `no folder to copy them to: set TMPDIR to one that every user may enter.`,
    { cause: problem, detail: problem?.message ?? '' },
  );
}

/** @param {string} native */
async function nameOfCopy(native) {
  const { version } = (await readJson(join(native, '..', 'package.json'))) ?? {};
  return `pawl-postgresql-${version}-${process.platform}-${process.arch}`;
}

/** Only we, or root, can put another folder into the place of ours. @param {string} parent */
async function isTrusted(parent) {
  const { uid, mode } = await stat(parent);
  const writtenByOthers = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
  return (uid === 0 || uid === process.getuid?.()) && !writtenByOthers;
}

/**
 * Leaves the whole package at `copy`, also when another start does the same at this moment.
 *
 * @param {string} native @param {string} copy
 * @param {{ signal?: AbortSignal, onCopy?: () => void }} options
 */
async function placeCopy(native, copy, { signal, onCopy }) {
  if (await isWhole(native, copy)) return;
  onCopy?.();
  await removeLeftOvers(copy);
  await remove(copy);
  const unfinished = unfinishedName(copy);
  try {
    await copyTree(native, unfinished, signal);
    await rename(unfinished, copy).catch(ignoreExisting);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  if (await isWhole(native, copy)) return;
  throw new Failure(`${copy} does not hold what was copied there: move it away.`);
}

/** @param {string} copy */
function unfinishedName(copy) {
  return `${copy}.unfinished-${randomBytes(4).toString('hex')}`;
}

/** Takes a copy that is damaged away in one step. @param {string} copy */
async function remove(copy) {
  const aside = unfinishedName(copy);
  try {
    await rename(copy, aside);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return;
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

/** Of starts that were killed while they copied. @param {string} copy */
async function removeLeftOvers(copy) {
  const parent = dirname(copy);
  const prefix = `${basename(copy)}.unfinished-`;
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(parent, name);
    const { mtimeMs, uid } = await lstat(path).catch(() => ({ mtimeMs: Infinity, uid: -1 }));
    const isOld = Date.now() - mtimeMs > LEFT_OVER_AFTER_MS;
    if (isOld && uid === process.getuid?.()) await rm(path, { recursive: true, force: true });
  }
}

/** @param {string} from @param {string} to @param {AbortSignal} [signal] */
async function copyTree(from, to, signal) {
  await mkdir(to, { mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (signal?.aborted) throw new Stopped();
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, target, signal);
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target);
    else {
      await copyFile(source, target);
      await chmod(target, ((await stat(source)).mode & 0o100) === 0 ? 0o644 : 0o755);
    }
  }
  await chmod(to, 0o755);
}

/**
 * Whether `copy` is ours and the same as `native`, byte for byte: what cleans up temporary files,
 * or a crash of the machine, may have taken some of it.
 *
 * @param {string} native @param {string} copy
 */
async function isWhole(native, copy) {
  try {
    const { uid, mode } = await lstat(copy);
    if (uid !== process.getuid?.() || (mode & 0o777) !== 0o755) return false;
    return await isSame(native, copy);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === undefined) throw error;
    return false;
  }
}

/** @param {string} one @param {string} other @returns {Promise<boolean>} */
async function isSame(one, other) {
  for (const entry of await readdir(one, { withFileTypes: true })) {
    const [a, b] = [join(one, entry.name), join(other, entry.name)];
    if (entry.isDirectory()) {
      if (!(await isSame(a, b))) return false;
    } else if (entry.isSymbolicLink()) {
      if ((await readlink(a)) !== (await readlink(b))) return false;
    } else if (!(await readFile(a)).equals(await readFile(b))) return false;
  }
  return true;
}

/** @param {NodeJS.ErrnoException} error */
function ignoreExisting(error) {
  if (error.code !== 'EEXIST' && error.code !== 'ENOTEMPTY') throw error;
}
