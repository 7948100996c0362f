import type { Rng } from '@pawl/kernel';
import type { StorageFile, StorageFolder } from '../node/index.js';

/** What was asked of a {@link SimulatedFolder}, in order. */
export type StorageOperation =
  | { readonly op: 'create'; readonly name: string; readonly inode: number }
  | {
      readonly op: 'write';
      readonly inode: number;
      readonly offset: number;
      readonly bytes: Buffer;
    }
  | { readonly op: 'truncate'; readonly inode: number; readonly length: number }
  | { readonly op: 'sync'; readonly inode: number }
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  | { readonly op: 'remove'; readonly name: string }
  | { readonly op: 'sync-folder' };

/** Thrown from a hook, it makes the operation fail as a disk would. */
export class SimulatedDiskError extends Error {
  override readonly name = 'SimulatedDiskError';
}

/**
 * How a machine stops. `kept`: the process dies, all that it wrote is there (`cutTo`: of the last
 * write only so many bytes). `lost`: what was not synced is gone. `torn`: of what was not synced any
 * sectors (of 512 bytes, unless told otherwise) are there, and of the names the first few.
 */
export type Crash =
  | { readonly kind: 'kept'; readonly cutTo?: number }
  | { readonly kind: 'lost' }
  | { readonly kind: 'torn'; readonly rng: Rng; readonly sectorBytes?: 512 | 4096 };

/** Content of files by number, and their names. */
class Disk {
  readonly inodes = new Map<number, Buffer>();
  readonly names = new Map<string, number>();

  apply(operation: StorageOperation): void {
    switch (operation.op) {
      case 'create':
        this.names.set(operation.name, operation.inode);
        return;
      case 'write': {
        const { inode, offset, bytes } = operation;
        const old = this.inodes.get(inode) ?? Buffer.alloc(0);
        const content = Buffer.alloc(Math.max(old.length, offset + bytes.length));
        content.set(old);
        content.set(bytes, offset);
        this.inodes.set(inode, content);
        return;
      }
      case 'truncate': {
        const content = Buffer.alloc(operation.length);
        content.set((this.inodes.get(operation.inode) ?? content).subarray(0, operation.length));
        this.inodes.set(operation.inode, content);
        return;
      }
      case 'rename': {
        const inode = this.names.get(operation.from);
        this.names.delete(operation.from);
        if (inode !== undefined) this.names.set(operation.to, inode);
        return;
      }
      case 'remove':
        this.names.delete(operation.name);
        return;
      case 'sync':
      case 'sync-folder':
    }
  }

  copy(): Disk {
    const disk = new Disk();
    for (const [inode, bytes] of this.inodes) disk.inodes.set(inode, Buffer.from(bytes));
    for (const [name, inode] of this.names) disk.names.set(name, inode);
    return disk;
  }
}

/**
 * A folder in memory that records every operation, can be made to fail, and can be looked at as a
 * crash after any operation would have left it.
 */
export class SimulatedFolder implements StorageFolder {
  readonly path: string;
  /** All operations since the folder was made; grows. */
  readonly journal: StorageOperation[] = [];
  /** Called before each operation: waited for, and what it throws is the operation's failure. */
  before: (operation: StorageOperation) => void | Promise<void> = () => undefined;
  /** Bytes that one write takes at most. */
  maxWriteBytes = Infinity;
  readonly #initial: Disk;
  readonly #disk: Disk;
  #nextInode: number;

  private constructor(path: string, initial: Disk) {
    this.path = path;
    this.#initial = initial;
    this.#disk = initial.copy();
    this.#nextInode = Math.max(0, ...initial.inodes.keys(), ...initial.names.values()) + 1;
  }

  static empty(path = 'simulated'): SimulatedFolder {
    return new SimulatedFolder(path, new Disk());
  }

  /** The folder as it is after the first `operations` of the journal and then a crash. */
  crashed(operations: number, crash: Crash): SimulatedFolder {
    const durable = this.#initial.copy();
    let data: StorageOperation[] = [];
    let names: StorageOperation[] = [];
    for (const [at, recorded] of this.journal.slice(0, operations).entries()) {
      const operation = at === operations - 1 ? cutShort(recorded, crash) : recorded;
      if (operation.op === 'sync-folder') {
        for (const name of names) durable.apply(name);
        names = [];
      } else if (operation.op === 'sync') {
        for (const write of data) if (isOf(write, operation.inode)) durable.apply(write);
        data = data.filter((write) => !isOf(write, operation.inode));
      } else if (operation.op === 'write' || operation.op === 'truncate') {
        data.push(operation);
      } else {
        names.push(operation);
      }
    }
    for (const operation of [...survivors(data, crash), ...prefix(names, crash)]) {
      durable.apply(operation);
    }
    return new SimulatedFolder(this.path, durable);
  }

  /** Replaces a file's content behind the log's back, as a fault of the disk would. */
  damage(name: string, change: (bytes: Buffer) => Buffer): void {
    const inode = this.#inode(name);
    this.#disk.inodes.set(inode, change(Buffer.from(this.#content(inode))));
  }

  /** Takes a file away behind the log's back. */
  lose(name: string): void {
    this.#disk.names.delete(name);
  }

  list(): Promise<readonly string[]> {
    return Promise.resolve([...this.#disk.names.keys()]);
  }

  async read(name: string): Promise<Uint8Array> {
    return Buffer.from(this.#content(this.#inode(name)));
  }

  async create(name: string): Promise<StorageFile> {
    if (this.#disk.names.has(name)) throw new SimulatedDiskError(`EEXIST: ${name}`);
    const inode = this.#nextInode;
    this.#nextInode += 1;
    await this.#do({ op: 'create', name, inode });
    return this.#file(inode);
  }

  async open(name: string): Promise<StorageFile> {
    return this.#file(this.#inode(name));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#inode(from);
    await this.#do({ op: 'rename', from, to });
  }

  async remove(name: string): Promise<void> {
    this.#inode(name);
    await this.#do({ op: 'remove', name });
  }

  async sync(): Promise<void> {
    await this.#do({ op: 'sync-folder' });
  }

  #file(inode: number): StorageFile {
    return {
      read: async (into, offset) => {
        const rest = this.#content(inode).subarray(offset, offset + into.length);
        into.set(rest);
        return rest.length;
      },
      write: async (bytes, offset) => {
        const taken = Math.min(bytes.length, this.maxWriteBytes);
        await this.#do({
          op: 'write',
          inode,
          offset,
          bytes: Buffer.from(bytes.subarray(0, taken)),
        });
        return taken;
      },
      truncate: (length) => this.#do({ op: 'truncate', inode, length }),
      sync: () => this.#do({ op: 'sync', inode }),
      close: () => Promise.resolve(),
    };
  }

  async #do(operation: StorageOperation): Promise<void> {
    const wait = this.before(operation);
    if (wait !== undefined) await wait;
    this.journal.push(operation);
    this.#disk.apply(operation);
  }

  #inode(name: string): number {
    const inode = this.#disk.names.get(name);
    if (inode === undefined) throw new SimulatedDiskError(`ENOENT: ${name}`);
    return inode;
  }

  #content(inode: number): Buffer {
    return this.#disk.inodes.get(inode) ?? Buffer.alloc(0);
  }
}

function isOf(operation: StorageOperation, inode: number): boolean {
  return 'inode' in operation && operation.inode === inode;
}

function cutShort(operation: StorageOperation, crash: Crash): StorageOperation {
  if (operation.op !== 'write' || crash.kind !== 'kept' || crash.cutTo === undefined) {
    return operation;
  }
  return { ...operation, bytes: operation.bytes.subarray(0, crash.cutTo) };
}

function survivors(data: readonly StorageOperation[], crash: Crash): StorageOperation[] {
  if (crash.kind === 'lost') return [];
  if (crash.kind === 'kept') return [...data];
  return data.flatMap((operation) => {
    if (operation.op !== 'write') return crash.rng.below(2) === 0 ? [operation] : [];
    return sectorsOf(operation, crash.sectorBytes ?? 512).filter(() => crash.rng.below(2) === 0);
  });
}

function sectorsOf(
  operation: Extract<StorageOperation, { op: 'write' }>,
  sectorBytes: number,
): StorageOperation[] {
  const pieces: StorageOperation[] = [];
  const { inode, offset, bytes } = operation;
  for (let from = 0; from < bytes.length;) {
    const until = Math.min(bytes.length, from + sectorBytes - ((offset + from) % sectorBytes));
    const piece = bytes.subarray(from, until);
    pieces.push({ op: 'write', inode, offset: offset + from, bytes: piece });
    from = until;
  }
  return pieces;
}

function prefix(names: readonly StorageOperation[], crash: Crash): StorageOperation[] {
  if (crash.kind === 'lost') return [];
  if (crash.kind === 'kept') return [...names];
  return names.slice(0, crash.rng.below(names.length + 1));
}
