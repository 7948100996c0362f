import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { open, readFile, rename, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isAlive, ownIdentity } from '@pawl/contracts/node';
import type { ProcessIdentity } from '@pawl/contracts/node';
import type { Timer, TimerHandle } from '@pawl/kernel';

interface LockHolder extends ProcessIdentity {
  readonly token: string;
  readonly host: string;
}

const LOCK_FILE = 'lock';
const ATTEMPTS = 5;
/** A lock file without content is being written, or its writer died; then it is this old at most. */
const HALF_WRITTEN_MS = 5_000;

/** A holder touches its lock this often; untouched for three of these, another host takes it over. */
const TOUCH_MS = 20_000;
const ABANDONED_MS = 3 * TOUCH_MS;

/**
 * A folder's lock, held by one live process. It is taken over when its process is gone, or, since
 * another host's processes cannot be seen, when another host's has not touched it for a minute.
 */
export class FolderLock {
  readonly #path: string;
  readonly #token: string;
  readonly #timer: Timer;
  #touching: TimerHandle;
  #released = false;

  private constructor(path: string, token: string, timer: Timer) {
    this.#path = path;
    this.#token = token;
    this.#timer = timer;
    this.#touching = timer.after(TOUCH_MS, () => void this.#touch());
  }

  /** The lock, or a sentence about who holds it. Rejects when the folder cannot be used. */
  static async acquire(folder: string, timer: Timer): Promise<FolderLock | string> {
    const path = join(folder, LOCK_FILE);
    const self: LockHolder = { token: randomUUID(), host: hostname(), ...ownIdentity() };
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (await create(path, JSON.stringify(self))) {
        return new FolderLock(path, self.token, timer);
      }
      const found = await readLock(path);
      if (found === undefined) continue;
      const holder = await describeLive(path, found);
      if (holder !== undefined) return holder;
      await removeStale(path, found, self.token);
    }
    return 'processes that start at this moment';
  }

  /** Whether the lock file still names this holder. */
  async isHeld(): Promise<boolean> {
    return parseHolder((await readLock(this.#path)) ?? '')?.token === this.#token;
  }

  /** The same at once, for a process that ends. Throws when there is no lock file. */
  isHeldNow(): boolean {
    return parseHolder(readFileSync(this.#path, 'utf8'))?.token === this.#token;
  }

  async release(): Promise<void> {
    this.#released = true;
    this.#touching.cancel();
    if (await this.isHeld()) await unlink(this.#path);
  }

  async #touch(): Promise<void> {
    try {
      const now = new Date();
      if (!(await this.isHeld())) return;
      await utimes(this.#path, now, now);
    } catch {
      // The next write finds out what is wrong with the folder and tells.
    }
    if (!this.#released) this.#touching = this.#timer.after(TOUCH_MS, () => void this.#touch());
  }
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.datasync();
    } finally {
      await file.close();
    }
    return true;
  } catch (thrown) {
    if (hasCode(thrown, 'EEXIST')) return false;
    throw thrown;
  }
}

async function readLock(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    if (hasCode(thrown, 'ENOENT')) return undefined;
    throw thrown;
  }
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<LockHolder> | null;
    if (typeof holder?.pid !== 'number' || typeof holder.token !== 'string') return undefined;
    return {
      token: holder.token,
      pid: holder.pid,
      host: holder.host ?? '',
      // Earlier builds wrote '' for what they could not know, and no boot.
      startedAt: holder.startedAt || null,
      boot: holder.boot ?? null,
    };
  } catch {
    return undefined;
  }
}

async function describeLive(path: string, text: string): Promise<string | undefined> {
  const holder = parseHolder(text);
  if (holder === undefined) {
    const young = (await ageMs(path)) < HALF_WRITTEN_MS;
    return young ? 'a process that starts at this moment' : undefined;
  }
  if (holder.host !== hostname()) {
    const abandoned = (await ageMs(path)) >= ABANDONED_MS;
    return abandoned ? undefined : `process ${holder.pid} on host ${holder.host}`;
  }
  return isAlive(holder) ? `process ${holder.pid}` : undefined;
}

async function ageMs(path: string): Promise<number> {
  try {
    return Date.now() - (await stat(path)).mtimeMs;
  } catch (thrown) {
    if (hasCode(thrown, 'ENOENT')) return Infinity;
    throw thrown;
  }
}

/** Moves the stale lock away; when another process was faster, its fresh lock is put back. */
async function removeStale(path: string, stale: string, token: string): Promise<void> {
  const aside = `${path}.${token}`;
  try {
    await rename(path, aside);
    if ((await readLock(aside)) === stale) await unlink(aside);
    else await rename(aside, path);
  } catch (thrown) {
    if (!hasCode(thrown, 'ENOENT')) throw thrown;
  }
}

export function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && (thrown as NodeJS.ErrnoException).code === code;
}
