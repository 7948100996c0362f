import { SimulatedDiskError } from '../testing/index.js';
import type { SimulatedFolder, StorageOperation } from '../testing/index.js';
import { decodeRecords } from './wal-record.js';

/** What of a node's disk fails: writes of entries, of a term or vote alone, or of a snapshot. */
export type DiskPart = 'log' | 'hard state' | 'snapshot';

export interface DiskFault {
  readonly part: DiskPart;
  readonly op: 'write' | 'sync';
  readonly error: string;
}

const FRAME_HEADER_BYTES = 32;

/** Makes a folder fail where a fault says so, from its first use on; counts how often it did. */
export class FaultyDisk {
  fault: DiskFault | null = null;
  failed = 0;
  readonly #names = new Map<number, string>();
  /** What was written last to each file. */
  readonly #written = new Map<number, DiskPart | null>();

  constructor(folder: SimulatedFolder) {
    folder.before = (operation) => this.#see(operation);
  }

  #see(operation: StorageOperation): void {
    if (operation.op === 'create') this.#names.set(operation.inode, operation.name);
    if (operation.op === 'write') this.#written.set(operation.inode, this.#partOf(operation));
    if (operation.op !== 'write' && operation.op !== 'sync') return;
    const { fault } = this;
    if (fault?.op !== operation.op || this.#written.get(operation.inode) !== fault.part) return;
    this.failed += 1;
    throw new SimulatedDiskError(fault.error);
  }

  #partOf({ inode, offset, bytes }: Extract<StorageOperation, { op: 'write' }>): DiskPart | null {
    const name = this.#names.get(inode) ?? '';
    if (name.startsWith('snap-')) return 'snapshot';
    if (!name.startsWith('wal-') || offset === 0) return null;
    const length = bytes.readUInt32LE(4);
    const records = decodeRecords(bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length));
    if (records.some(({ kind }) => kind === 'entry')) return 'log';
    return records.every(({ kind }) => kind === 'hard-state') ? 'hard state' : null;
  }
}
