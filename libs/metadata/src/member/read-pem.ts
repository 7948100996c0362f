import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
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

type Pem = string | Buffer;

/** Throws a {@link MemberStartError} where nothing could be served with them. */
export function checkPems(
  setting: string,
  { cert, key, ca }: { readonly cert: Pem; readonly key: Pem; readonly ca: Pem | null },
): void {
  try {
    createSecureContext({ cert, key, ...(ca === null ? {} : { ca }) });
  } catch (error) {
    const names = ['CERT', 'KEY', ...(ca === null ? [] : ['CA'])].map((one) => `${setting}_${one}`);
    throw new MemberStartError(
      `${names.join(', ')} do not go together or are damaged (${(error as Error).message}).`,
      { cause: error },
    );
  }
}
