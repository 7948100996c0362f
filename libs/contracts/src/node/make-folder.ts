import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder and what is missing above it; a folder that is there is left as it is. Answers the
 * topmost folder that was made. Node's own `recursive` never returns below folders that cannot hold
 * any (`/proc`), so each level is one call here.
 */
export async function makeFolder(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return undefined;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
  }
  const topmost = await makeFolder(dirname(path), mode);
  const own = await makeExisting(path, mode);
  return topmost ?? own;
}

/** Like `mkdir`, but somebody else may have been quicker. */
async function makeExisting(path: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return undefined;
  }
}
