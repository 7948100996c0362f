import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '@pawl/kernel';
import { parseAddress } from '@pawl/contracts';
import type { Address, HeldSnapshot, Sha256 } from '@pawl/contracts';
import type { LastKnownGood, Restored } from '../applier/index.js';
import { asPawlError, messageOf, PawlError } from '../errors.js';
import type { LastKnownGoodStore } from '../ports.js';
import { CrashGuard } from './crash-guard.js';
import { FolderLock } from './folder-lock.js';
import { KeptFiles } from './kept-files.js';
import type { ProcessEnds } from './process-ends.js';
import type { CrashLoopLimits } from './scope-trial.js';

export interface FileCacheOptions {
  readonly cacheDir: string;
  readonly consumerId: string;
  /** The installation's name. */
  readonly installation: string;
  readonly sha256: Sha256;
  readonly timer: Timer;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** `false`: a snapshot that processes do not survive is run again and again. */
  readonly crashLoop: CrashLoopLimits | false;
  /** The service's own version. */
  readonly build: string | undefined;
  readonly ends: ProcessEnds;
  readonly onProblem: (problem: PawlError) => void;
}

interface Writing {
  done: Promise<void>;
  /** The newest record that waits for the one being written. */
  next: LastKnownGood | null;
}

/**
 * Last-known-good files below `<cacheDir>/<consumerId>`, one per address, and beside it what the crash
 * guard keeps. The folder's lock lets one live process write; any other reads what is there and writes
 * nothing.
 */
export class FileCache implements LastKnownGoodStore {
  readonly #folder: string;
  readonly #lock: FolderLock | null;
  readonly #files: KeptFiles;
  readonly #guard: CrashGuard | null;
  /** What each file holds, as far as this process knows. */
  readonly #onFile = new Map<string, HeldSnapshot>();
  readonly #writing = new Map<string, Writing>();
  #lost = false;
  #closed = false;

  private constructor(folder: string, lock: FolderLock | null, options: FileCacheOptions) {
    this.#folder = folder;
    this.#lock = lock;
    const { installation, sha256, crashLoop: limits } = options;
    const files = new KeptFiles({ folder, installation, sha256 });
    this.#files = files;
    this.#guard = limits === false ? null : new CrashGuard({ ...options, limits, files, lock });
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

  async load(address: Address): Promise<Restored | undefined> {
    const kept = await this.#files.readCurrent(address);
    if (kept === undefined) return undefined;
    this.#onFile.set(address.text, kept.head);
    return this.#guard === null ? kept : this.#guard.judge(address, kept);
  }

  /**
   * Writes of one address come one after the other; a record that a newer one overtakes is skipped, and
   * what becomes of the newest is what all are told.
   */
  async save(record: LastKnownGood): Promise<void> {
    if (this.#lock === null || this.#lost || this.#closed) return;
    this.#guard?.replacing(record);
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
    await this.#guard?.close();
    try {
      await this.#lock?.release();
    } catch {
      // The next process finds this one gone and takes the lock over.
    }
  }

  async #writeAll(key: string, writing: Writing): Promise<void> {
    let failure: PawlError | null = null;
    for (let next = writing.next; next !== null; next = writing.next) {
      writing.next = null;
      try {
        await this.#write(next);
        failure = null;
      } catch (thrown) {
        failure = asPawlError(thrown, 'cache-write-failed');
      }
    }
    this.#writing.delete(key);
    if (failure !== null) throw failure;
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
    const parsed = parseAddress(record.address);
    if (!parsed.ok) throw new TypeError(parsed.message);
    const { address } = parsed;
    const onFile = this.#onFile.get(record.address);
    try {
      await this.#guard?.begin(address, record, onFile);
    } finally {
      if (record.head !== onFile) await this.#files.writeCurrent(address, record);
      this.#onFile.set(record.address, record.head);
    }
  }
}
