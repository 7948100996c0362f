import { copyFile, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address, Sha256 } from '@pawl/contracts';
import type { LastKnownGood } from '../applier/index.js';
import { messageOf, PawlError } from '../errors.js';
import { cacheFileName, decodeCacheFile, encodeCacheFile } from './cache-file.js';
import { flush } from './flush.js';
import { hasCode } from './folder-lock.js';
import { TrialFile } from './trial-file.js';
import { writeWhole } from './write-whole.js';

interface Place {
  readonly folder: string;
  /** The installation's name. */
  readonly installation: string;
  readonly sha256: Sha256;
}

/** The files of a folder: per address what is kept, what was kept before it, and its trial. */
export class KeptFiles {
  constructor(private readonly place: Place) {}

  /** Rejects with `cache-corrupt` or `cache-unavailable`. */
  readCurrent(address: Address): Promise<LastKnownGood | undefined> {
    return this.#read(this.#pathOf(address), address);
  }

  /** Resolves when it is durable; whole or not at all. */
  async writeCurrent(address: Address, record: LastKnownGood): Promise<void> {
    const path = this.#pathOf(address);
    const target = { folder: this.place.folder, path, temporaryPath: `${path}.tmp` };
    await writeWhole(target, encodeCacheFile(record, this.place.sha256));
  }

  /** `undefined` also for one that cannot be used. */
  async readPrevious(address: Address): Promise<LastKnownGood | undefined> {
    return this.#read(this.#previousOf(address), address).catch(() => undefined);
  }

  async hasPrevious(address: Address): Promise<boolean> {
    return stat(this.#previousOf(address)).then(
      () => true,
      () => false,
    );
  }

  /**
   * What is kept now is from now on also what was kept before. It is flushed before it gets its name: what
   * is kept next would outlive a loss of power, and it would be cut short.
   */
  async keepPrevious(address: Address): Promise<void> {
    const path = this.#previousOf(address);
    await copyFile(this.#pathOf(address), `${path}.tmp`);
    await flush(`${path}.tmp`, 'r+');
    await rename(`${path}.tmp`, path);
  }

  trialOf(address: Address): TrialFile {
    return new TrialFile(`${this.#pathOf(address)}.trial`);
  }

  async #read(path: string, address: Address): Promise<LastKnownGood | undefined> {
    let text;
    try {
      text = await readFile(path, 'utf8');
    } catch (thrown) {
      if (hasCode(thrown, 'ENOENT')) return undefined;
      throw new PawlError('cache-unavailable', messageOf(thrown), { cause: thrown });
    }
    const decoded = decodeCacheFile(text, address.text, this.place.sha256);
    if (decoded.ok) return decoded.record;
    throw new PawlError('cache-corrupt', `${path} ${decoded.message}; it is not used`);
  }

  #pathOf(address: Address): string {
    const { folder, installation, sha256 } = this.place;
    return join(folder, cacheFileName(address, installation, sha256));
  }

  #previousOf(address: Address): string {
    return `${this.#pathOf(address)}.previous`;
  }
}
