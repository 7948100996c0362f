import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openFsFolder, segmentSequence, SnapshotFiles } from '@pawl/raft/node';
import type { StorageFolder } from '@pawl/raft/node';

/** There is no log and no snapshot of a quorum's member. */
export class NothingStoredError extends Error {
  override readonly name = 'NothingStoredError';
}

/**
 * The folder of a quorum member's files: `path` itself, or `metadata` in it, as in a node's data
 * folder. Nothing is made or changed. Throws {@link NothingStoredError}.
 */
export async function storedFolder(path: string): Promise<StorageFolder> {
  for (const candidate of [path, join(path, 'metadata')]) {
    if (!existsSync(candidate) || !statSync(candidate).isDirectory()) continue;
    const folder = await openFsFolder(candidate);
    if (await holdsSomething(folder)) return folder;
  }
  throw new NothingStoredError(
    `${path} holds no log and no snapshot of a quorum member; name its data folder, or the folder "metadata" in it`,
  );
}

async function holdsSomething(folder: StorageFolder): Promise<boolean> {
  const names = await folder.list();
  if (names.some((name) => segmentSequence(name) !== null)) return true;
  return (await new SnapshotFiles(folder).indexes()).length > 0;
}
