import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { replaceFile, readJson } from './files.mjs';
import { identify, isAlive, lostAncestor } from './process-identity.mjs';

/**
 * @typedef {import('./process-identity.mjs').ProcessIdentity} ProcessIdentity
 * @typedef {import('./service.mjs').Service} Service
 * @typedef {'starting' | 'running' | 'stopping'} Phase
 *
 * @typedef {object} LaunchRecord `<data>/launcher.json`; no secrets
 * @property {ProcessIdentity} launcher
 * @property {readonly number[]} npm the npm, and its shell, that started the launcher
 * @property {Phase} phase
 * @property {string | undefined} http base URL of REST
 * @property {readonly (ProcessIdentity & { name: string })[]} children
 */

/**
 * Keeps the record of this launcher on disk.
 *
 * @param {string} path
 * @param {readonly number[]} npm
 */
export function createRecorder(path, npm) {
  const launcher = identify(process.pid);
  /** @type {Map<string, ProcessIdentity & { name: string }>} */
  const children = new Map();
  /** @type {Phase} */
  let phase = 'starting';
  /** @type {string | undefined} */
  let http;
  let writing = Promise.resolve();
  let closed = false;
  const write = () => {
    if (closed) return writing;
    const text = () =>
      `${JSON.stringify({ launcher, npm, phase, http, children: [...children.values()] }, null, 2)}\n`;
    writing = writing.then(() => replaceFile(path, text())).catch(() => undefined);
    return writing;
  };
  return {
    write,
    /** @param {Service} service */
    add: (service) => {
      if (service.identity !== undefined) {
        children.set(service.name, { name: service.name, ...service.identity });
      }
      return write();
    },
    /** @param {Phase} next @param {string} [url] */
    enter: (next, url) => {
      phase = next;
      http = url ?? http;
      return write();
    },
    /** @param {string} name */
    remove: (name) => {
      children.delete(name);
      return write();
    },
    /** Nothing runs any more: there is nothing to record. */
    close: async () => {
      closed = true;
      await writing;
      await rm(path, { force: true });
    },
  };
}

/**
 * Removes drafts of a record whose writer was killed. To be called under the launcher's lock.
 *
 * @param {string} path
 */
export async function removeDrafts(path) {
  const drafts = (await readdir(dirname(path))).filter(
    (name) => name.startsWith(`${basename(path)}.`) && name.endsWith('.tmp'),
  );
  await Promise.all(drafts.map((name) => rm(join(dirname(path), name), { force: true })));
}

/**
 * What the last launcher wrote; `undefined` when there is nothing, or garbage.
 *
 * @param {string} path
 * @returns {Promise<LaunchRecord | undefined>}
 */
export async function readRecord(path) {
  const record = await readJson(path);
  if (typeof record?.launcher?.pid !== 'number' || !Array.isArray(record.children))
    return undefined;
  return record;
}

/**
 * Whether the launcher of the record is about to end: it says so, or the npm that started it is gone.
 *
 * @param {LaunchRecord | undefined} record
 */
export function isEnding(record) {
  if (record === undefined || !isAlive(record.launcher)) return true;
  if (record.phase === 'stopping') return true;
  return lostAncestor(record.launcher.pid, record.npm);
}
