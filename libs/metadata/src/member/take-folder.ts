import { randomUUID } from 'node:crypto';
import { lockFolder, openFsFolder, writeFully } from '@pawl/raft/node';
import type { StorageFolder } from '@pawl/raft/node';

const NAME = 'folder-id';
const DRAFT = `${NAME}.tmp`;

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
  const folder = await openFsFolder(path);
  const lock = await lockFolder(path);
  try {
    return { id: await identifyFolder(folder), release: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Durable when it resolves: a folder that forgot its id would come back as another. */
export async function identifyFolder(folder: StorageFolder): Promise<string> {
  const names = await folder.list();
  if (names.includes(NAME)) {
    const id = Buffer.from(await folder.read(NAME))
      .toString()
      .trim();
    if (id !== '') return id;
  }
  const id = randomUUID();
  if (names.includes(DRAFT)) await folder.remove(DRAFT);
  const file = await folder.create(DRAFT);
  try {
    await writeFully(file, Buffer.from(`${id}\n`), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await folder.rename(DRAFT, NAME);
  await folder.sync();
  return id;
}
