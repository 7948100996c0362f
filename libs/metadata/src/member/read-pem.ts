import { readFile } from 'node:fs/promises';
import { MemberStartError } from './member-start-error.js';

/** A PEM file that `setting` names. Throws a {@link MemberStartError} when it cannot be read. */
export async function readPem(setting: string, file: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new MemberStartError(
      `${setting} names ${file}, which cannot be read (${(error as Error).message}).`,
      { cause: error },
    );
  }
  if (!bytes.includes('-----BEGIN ')) {
    throw new MemberStartError(`${setting} names ${file}, which holds no PEM text.`);
  }
  return bytes;
}
