import { close, fdatasync, fsync, ftruncate, open, read, write } from 'node:fs';
import { readFile, readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { makeFolder } from '@pawl/contracts/node';
import type { StorageFile, StorageFolder } from './storage-folder.port.js';

/* The callback forms keep a write and its fdatasync at the cost of the system calls. */
const openFile = promisify(open);
const closeFile = promisify(close);
const syncData = promisify(fdatasync);
const syncAll = promisify(fsync);
const truncateFile = promisify(ftruncate);

/** A folder of the file system, durably created with its parents if it is missing. */
export async function openFsFolder(folder: string): Promise<StorageFolder> {
  const path = resolve(folder);
  const created = await makeFolder(path, 0o700);
  if (created !== undefined) {
    const outermost = dirname(created);
    for (let made = path; made !== outermost && made !== dirname(made); made = dirname(made)) {
      await syncFolder(dirname(made));
    }
  }
  const at = (name: string): string => join(path, name);
  return {
    path,
    list: async () => {
      const items = await readdir(path, { withFileTypes: true });
      return items.filter((item) => item.isFile()).map((item) => item.name);
    },
    read: (name) => readFile(at(name)),
    create: async (name) => fsFile(await openFile(at(name), 'wx+', 0o600)),
    open: async (name) => fsFile(await openFile(at(name), 'r+')),
    rename: (from, to) => rename(at(from), at(to)),
    remove: (name) => unlink(at(name)),
    sync: () => syncFolder(path),
  };
}

async function syncFolder(path: string): Promise<void> {
  const folder = await openFile(path, 'r');
  try {
    await syncAll(folder);
  } finally {
    await closeFile(folder);
  }
}

/**
 * A file waits for what is under way before it closes, and takes nothing afterwards: its descriptor may
 * be another file's by then.
 */
function fsFile(descriptor: number): StorageFile {
  const underWay = new Set<Promise<unknown>>();
  let closed: Promise<void> | null = null;
  const when = <T>(start: () => Promise<T>): Promise<T> => {
    if (closed !== null) return Promise.reject(new Error('the file is closed'));
    const done = start();
    underWay.add(done);
    const ended = (): void => void underWay.delete(done);
    done.then(ended, ended);
    return done;
  };
  return {
    read: (into, offset) => when(() => readSome(descriptor, into, offset)),
    write: (bytes, offset) => when(() => writeSome(descriptor, bytes, offset)),
    truncate: (length) => when(() => truncateFile(descriptor, length)),
    sync: () => when(() => syncData(descriptor)),
    close: () => {
      closed ??= Promise.allSettled(underWay).then(() => closeFile(descriptor));
      return closed;
    },
  };
}

function readSome(descriptor: number, into: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, into, 0, into.length, offset, (error, taken) => {
      if (error) reject(error);
      else resolve(taken);
    });
  });
}

function writeSome(descriptor: number, bytes: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, 0, bytes.length, offset, (error, taken) => {
      if (error) reject(error);
      else resolve(taken);
    });
  });
}
