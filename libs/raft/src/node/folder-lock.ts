import { randomUUID } from 'node:crypto';
import { open, readFile, readdir, rename, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isAlive, makeFolder, ownIdentity } from '@pawl/contracts/node';
import type { ProcessIdentity } from '@pawl/contracts/node';

/** Another process holds the folder, by the file `lockFile` in it. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError';
  constructor(
    path: string,
    readonly pid: number,
    readonly lockFile: string,
  ) {
    super(
      `${path} is in use by process ${pid}; stop that first, or give another data folder (if no such process of Pawl runs, remove ${lockFile})`,
    );
  }
}

export interface FolderLock {
  release(): Promise<void>;
}

interface Holder extends ProcessIdentity {
  readonly host: string;
}

const NAME = /^lock-\d+-[0-9a-f-]+$/;
const ATTEMPTS = 5;
const LONGEST_PAUSE_MS = 60;

/**
 * Takes a folder for this process, or throws {@link FolderInUseError} naming the process that holds
 * it. Each process puts down a file of its own and then looks for others: of two that come at the
 * same time at least one sees the other and steps back. Files of processes that are gone are removed,
 * so a kill -9 leaves nothing in the way. Good among processes that see each other: one machine (or
 * container); a data folder shared between machines is not guarded by it.
 */
export async function lockFolder(path: string): Promise<FolderLock> {
  await makeFolder(path, 0o700);
  for (let attempt = 1; ; attempt += 1) {
    const own = await putDown(path);
    const other = await otherHolder(path, own);
    if (other === null) return { release: () => unlink(join(path, own)) };
    await unlink(join(path, own));
    if (attempt === ATTEMPTS) {
      throw new FolderInUseError(path, other.holder.pid, join(path, other.name));
    }
    await pause(1 + Math.random() * LONGEST_PAUSE_MS);
  }
}

async function putDown(path: string): Promise<string> {
  const name = `lock-${process.pid}-${randomUUID()}`;
  const holder: Holder = { ...ownIdentity(), host: hostname() };
  const draft = join(path, `${name}.draft`);
  const file = await open(draft, 'wx', 0o600);
  await file.writeFile(JSON.stringify(holder));
  await file.close();
  await rename(draft, join(path, name));
  return name;
}

async function otherHolder(
  path: string,
  own: string,
): Promise<{ name: string; holder: Holder } | null> {
  for (const name of await readdir(path)) {
    if (name === own || !NAME.test(name)) continue;
    const holder = await readHolder(join(path, name));
    if (holder === null) continue;
    if (isAlive(holder)) return { name, holder };
    await unlinkIfThere(join(path, name));
  }
  return null;
}

async function readHolder(file: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Holder;
  } catch (error) {
    if (isMissing(error)) return null;
    /* Emptied by a power loss: its process is gone with it. */
    if (error instanceof SyntaxError) return { pid: 0, startedAt: null, boot: null, host: '' };
    throw error;
  }
}

async function unlinkIfThere(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
