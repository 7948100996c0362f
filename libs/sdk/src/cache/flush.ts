import { open } from 'node:fs/promises';

/** What is in a file (`r+`), or which names are in a folder (`r`), is on the disk when it resolves. */
export async function flush(path: string, flags: 'r' | 'r+'): Promise<void> {
  const opened = await open(path, flags);
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}
