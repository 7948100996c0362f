import { open, rename } from 'node:fs/promises';
import { flush } from './flush.js';

/** A file and the folder it lies in. */
export interface FileTarget {
  readonly folder: string;
  readonly path: string;
  /** Same folder; used by one writer at a time. */
  readonly temporaryPath: string;
}

/**
 * Replaces a file as a whole: written aside, flushed, renamed over, and the folder flushed, so that
 * whatever dies between two steps leaves the former file or the new one.
 */
export async function writeWhole(target: FileTarget, text: string): Promise<void> {
  const file = await open(target.temporaryPath, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(target.temporaryPath, target.path);
  await flush(target.folder, 'r');
}
