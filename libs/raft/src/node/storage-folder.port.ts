/**
 * One folder of files, as the log needs it. Every call may fail with an error of the system; what
 * it did until then is unknown. Nothing is durable before it was synced: bytes by the file's
 * `sync`, names (created, renamed, removed) by the folder's.
 */
export interface StorageFolder {
  /** For messages to people. */
  readonly path: string;
  /** Names of the files, in no particular order. */
  list(): Promise<readonly string[]>;
  read(name: string): Promise<Uint8Array>;
  /** A new, empty file; fails if the name is taken. */
  create(name: string): Promise<StorageFile>;
  open(name: string): Promise<StorageFile>;
  /** Replaces `to` if it is there. */
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  sync(): Promise<void>;
}

export interface StorageFile {
  /** Fills `into` with what lies at `offset`; answers how many bytes, 0 at the end of the file. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Writes at `offset`; answers how many bytes were taken, at least one. */
  write(bytes: Uint8Array, offset: number): Promise<number>;
  truncate(length: number): Promise<void>;
  /** Resolves once everything written is durable (fdatasync). A failure is final. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Writes all of `bytes` at `offset`, however few each call takes. */
export async function writeFully(
  file: StorageFile,
  bytes: Uint8Array,
  offset: number,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const taken = await file.write(bytes.subarray(done), offset + done);
    if (taken <= 0) throw new Error('the file system takes no more bytes');
    done += taken;
  }
}
