import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Timer } from '@pawl/kernel';
import { parseAddress } from '@pawl/contracts';
import type { Address, Sha256 } from '@pawl/contracts';
import type { LastKnownGood } from '../applier/index.js';
import { asPawlError, messageOf, PawlError } from '../errors.js';
import type { LastKnownGoodStore } from '../ports.js';
import { cacheFileName, decodeCacheFile, encodeCacheFile } from './cache-file.js';
import { FolderLock, hasCode } from './folder-lock.js';
import { writeWhole } from './write-whole.js';

export interface FileCacheOptions {
  readonly cacheDir: string;
  readonly consumerId: string;
  /** The installation's name. */
  readonly installation: string;
  readonly sha256: Sha256;
  readonly timer: Timer;
  readonly onProblem: (problem: PawlError) => void;
}

interface Writing {
  done: Promise<void>;
  /** The newest record that waits for the one being written. */
  next: LastKnownGood | null;
}

/**
 * Last-known-good files below `<cacheDir>/<consumerId>`, one per address. The folder's lock lets one
 * live process write; any other reads what is there and writes nothing.
 */
export class FileCache implements LastKnownGoodStore {
  readonly #folder: string;
  readonly #options: FileCacheOptions;
  readonly #lock: FolderLock | null;
  readonly #writing = new Map<string, Writing>();
  #lost = false;
  #closed = false;

  private constructor(folder: string, lock: FolderLock | null, options: FileCacheOptions) {
    this.#folder = folder;
    this.#lock = lock;
    this.#options = options;
  }

  /** `undefined` when the folder cannot be used, which is told as a problem. */
  static async open(options: FileCacheOptions): Promise<FileCache | undefined> {
    const folder = join(options.cacheDir, options.consumerId);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const lock = await FolderLock.acquire(folder, options.timer);
      if (lock instanceof FolderLock) return new FileCache(folder, lock, options);
      const message =
        `the cache folder ${folder} is in use by ${lock}; this process reads it and writes nothing. ` +
        'Give each process a consumerId of its own';
      options.onProblem(new PawlError('cache-locked', message));
      return new FileCache(folder, null, options);
    } catch (thrown) {
      const message = `the cache folder ${folder} cannot be used: ${messageOf(thrown)}`;
      options.onProblem(new PawlError('cache-unavailable', message, { cause: thrown }));
      return undefined;
    }
  }

  async load(address: Address): Promise<LastKnownGood | undefined> {
    const path = this.#pathOf(address);
    let text;
    try {
      text = await readFile(path, 'utf8');
    } catch (thrown) {
      if (hasCode(thrown, 'ENOENT')) return undefined;
      throw new PawlError('cache-unavailable', messageOf(thrown), { cause: thrown });
    }
    const decoded = decodeCacheFile(text, address.text, this.#options.sha256);
    if (decoded.ok) return decoded.record;
    throw new PawlError('cache-corrupt', `${path} ${decoded.message}; it is not used`);
  }

  /** Writes of one address come one after the other; a record that a newer one overtakes is skipped. */
  async save(record: LastKnownGood): Promise<void> {
    if (this.#lock === null || this.#lost || this.#closed) return;
    const there = this.#writing.get(record.address);
    if (there !== undefined) {
      there.next = record;
      return there.done;
    }
    const writing: Writing = { done: Promise.resolve(), next: record };
    this.#writing.set(record.address, writing);
    writing.done = this.#writeAll(record.address, writing);
    return writing.done;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([...this.#writing.values()].map(({ done }) => done));
    try {
      await this.#lock?.release();
    } catch {
      // The next process finds this one gone and takes the lock over.
    }
  }

  async #writeAll(key: string, writing: Writing): Promise<void> {
    try {
      for (let next = writing.next; next !== null; next = writing.next) {
        writing.next = null;
        await this.#write(next);
      }
    } catch (thrown) {
      throw asPawlError(thrown, 'cache-write-failed');
    } finally {
      this.#writing.delete(key);
    }
  }

  async #write(record: LastKnownGood): Promise<void> {
    const lock = this.#lock;
    if (lock === null || !(await lock.isHeld())) {
      this.#lost = true;
      throw new PawlError(
        'cache-locked',
        `another process took the cache folder ${this.#folder} over`,
      );
    }
    const address = parseAddress(record.address);
    if (!address.ok) throw new TypeError(address.message);
    const path = this.#pathOf(address.address);
    const target = { folder: this.#folder, path, temporaryPath: `${path}.tmp` };
    await writeWhole(target, encodeCacheFile(record, this.#options.sha256));
  }

  #pathOf(address: Address): string {
    const { installation, sha256 } = this.#options;
    return join(this.#folder, cacheFileName(address, installation, sha256));
  }
}
