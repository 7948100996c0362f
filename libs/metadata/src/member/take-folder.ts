import { randomUUID } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFolder } from '@pawl/raft/node';

const NAME = 'folder-id';

/** A folder that is this process's own until it is released. */
export interface OwnFolder {
  /** Random, made with the folder: tells it from any other folder of the same node id. */
  readonly id: string;
  release(): Promise<void>;
}

/**
 * Takes a folder for a node that keeps its metadata elsewhere: what the log's folder is to a member
 * of the quorum. Throws `FolderInUseError` while another process has it.
 */
export async function takeFolder(path: string): Promise<OwnFolder> {
  const lock = await lockFolder(path);
  try {
    return { id: await identify(path), release: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function identify(path: string): Promise<string> {
  try {
    const id = (await readFile(join(path, NAME), 'utf8')).trim();
    if (id !== '') return id;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const id = randomUUID();
  const file = await open(join(path, `${NAME}.tmp`), 'w', 0o600);
  await file.writeFile(`${id}\n`);
  await file.sync();
  await file.close();
  await rename(join(path, `${NAME}.tmp`), join(path, NAME));
  return id;
}
