import { constants } from 'node:fs';
import { access, mkdir, realpath, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, onFiles } from './failure.mjs';

const MEGABYTE = 1024 * 1024;
/** A new database takes 50 MB, nats-server unpacked 12, and logs and streams want to grow. */
const LEAST_ROOM_BYTES = 128 * MEGABYTE;

/**
 * @typedef {object} DataFolder where everything that one launcher starts is kept
 * @property {string} path absolute, without symbolic links
 * @property {string} locks
 * @property {string} logs
 * @property {string} postgres
 * @property {string} nats
 * @property {string} tools
 * @property {string} record of the launcher and what it started
 * @property {string} endpoints written by the control plane
 * @property {string} nodes a folder for each node but the first, whose folder is `path`
 * @property {string} nodesRecord of which nodes there are, where there were ever several
 * @property {string} demoCache
 */

/**
 * Makes the folder when it is missing, and refuses in one sentence one that cannot be used.
 *
 * @param {string} wanted
 * @returns {Promise<DataFolder>}
 */
export async function openDataFolder(wanted) {
  return onFiles(wanted, async () => {
    await mkdir(wanted, { recursive: true });
    const path = await realpath(wanted);
    if (!(await stat(path)).isDirectory()) {
      throw new Failure(`${wanted} should be a folder but is not one: move it away.`);
    }
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    await assertRoom(path);
    await probeWriting(path);
    return layOut(path);
  });
}

/** Without room PostgreSQL fails in the middle of its work, with words of its own. */
async function assertRoom(/** @type {string} */ path) {
  const { bavail, bsize } = await statfs(path);
  const free = bavail * bsize;
  if (free >= LEAST_ROOM_BYTES) return;
  throw new Failure(
    `The disk that holds ${path} is full: ${Math.floor(free / MEGABYTE)} MB are left, ` +
      `${LEAST_ROOM_BYTES / MEGABYTE} MB are needed. Free some space, or choose another data ` +
      'folder with PAWL_DATA_DIR.',
  );
}

/** Permission bits promise what a full disk or a read-only mount does not keep. */
async function probeWriting(/** @type {string} */ path) {
  const probe = join(path, `probe-${process.pid}`);
  try {
    await writeFile(probe, 'can be written\n');
  } finally {
    await rm(probe, { force: true });
  }
}

/** @param {string} path @returns {DataFolder} */
export function layOut(path) {
  return {
    path,
    locks: join(path, 'locks'),
    logs: join(path, 'logs'),
    postgres: join(path, 'postgres'),
    nats: join(path, 'nats'),
    tools: join(path, 'tools'),
    record: join(path, 'launcher.json'),
    endpoints: join(path, 'endpoints.json'),
    nodes: join(path, 'nodes'),
    nodesRecord: join(path, 'nodes.json'),
    demoCache: join(path, 'demo-cache'),
  };
}
