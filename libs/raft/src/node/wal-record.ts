import { decodeConfiguration, encodeConfiguration } from '../core/index.js';
import type { Configuration, Entry, EntryKind, HardState, SnapshotMark } from '../core/index.js';
import { ByteReader, ByteWriter } from './bytes.js';

/** Whose folder it is. All three are fixed when the folder is first used. */
export interface Identity {
  readonly clusterId: string;
  readonly nodeId: string;
  /** Random: tells two folders of one node id apart. */
  readonly folderId: string;
}

/** The last entry that a snapshot covers, as the log notes it. */
export type LogMark = Pick<SnapshotMark, 'index' | 'term'>;

export type WalRecord =
  /** First in each segment: the index that its first entry has or will have, and the length of the segment before. */
  | { readonly kind: 'segment'; readonly firstIndex: number; readonly previousEnd: number }
  | { readonly kind: 'identity'; readonly identity: Identity }
  /** In the very first segment: who voted before the first entry; nobody where this node joined. */
  | { readonly kind: 'founding'; readonly configuration: Configuration }
  | { readonly kind: 'hard-state'; readonly hardState: HardState }
  /** Takes the place of what an earlier record says of this index and those above. */
  | { readonly kind: 'entry'; readonly entry: Entry }
  /** A snapshot of this mark became durable. */
  | { readonly kind: 'snapshot'; readonly mark: LogMark }
  /** A leader's snapshot took the place of the whole log, which goes on behind it. */
  | { readonly kind: 'installed'; readonly mark: LogMark };

const KIND = {
  segment: 1,
  identity: 2,
  'hard-state': 3,
  command: 4,
  noop: 5,
  snapshot: 6,
  configuration: 7,
  founding: 8,
  installed: 9,
} as const;

const ENTRY_KINDS: Readonly<Record<4 | 5 | 7, EntryKind>> = {
  [KIND.command]: 'command',
  [KIND.noop]: 'noop',
  [KIND.configuration]: 'configuration',
};

/** Records one behind the other, each as kind (8 bits) and body; what {@link decodeRecords} reads. */
export function encodeRecords(records: readonly WalRecord[]): Buffer {
  const writer = new ByteWriter(1024);
  for (const record of records) encodeRecord(writer, record);
  return writer.done();
}

function encodeRecord(writer: ByteWriter, record: WalRecord): void {
  switch (record.kind) {
    case 'segment':
      writer.u8(KIND.segment).u64(record.firstIndex).u64(record.previousEnd);
      return;
    case 'identity': {
      const { clusterId, nodeId, folderId } = record.identity;
      writer.u8(KIND.identity).text(clusterId).text(nodeId).text(folderId);
      return;
    }
    case 'founding':
      writer.u8(KIND.founding).sized(encodeConfiguration(record.configuration));
      return;
    case 'hard-state': {
      const { term, vote, commit } = record.hardState;
      writer
        .u8(KIND['hard-state'])
        .u64(term)
        .text(vote ?? '')
        .u64(commit);
      return;
    }
    case 'entry': {
      const { index, term, kind, data } = record.entry;
      writer.u8(KIND[kind]).u64(index).u64(term).sized(data);
      return;
    }
    case 'snapshot':
    case 'installed':
      writer.u8(KIND[record.kind]).u64(record.mark.index).u64(record.mark.term);
  }
}

/** Throws a `RangeError` when the bytes are not whole records of known kinds. */
export function decodeRecords(bytes: Uint8Array): WalRecord[] {
  const reader = new ByteReader(bytes);
  const records: WalRecord[] = [];
  while (reader.left > 0) records.push(decodeRecord(reader));
  return records;
}

function decodeRecord(reader: ByteReader): WalRecord {
  const kind = reader.u8();
  switch (kind) {
    case KIND.segment:
      return { kind: 'segment', firstIndex: reader.u64(), previousEnd: reader.u64() };
    case KIND.identity: {
      const [clusterId, nodeId, folderId] = [reader.text(), reader.text(), reader.text()];
      return { kind: 'identity', identity: { clusterId, nodeId, folderId } };
    }
    case KIND.founding:
      return { kind: 'founding', configuration: readConfiguration(reader.sized()) };
    case KIND['hard-state']: {
      const [term, vote, commit] = [reader.u64(), reader.text(), reader.u64()];
      return { kind: 'hard-state', hardState: { term, vote: vote === '' ? null : vote, commit } };
    }
    case KIND.command:
    case KIND.noop:
    case KIND.configuration: {
      const [index, term, data] = [reader.u64(), reader.u64(), reader.sized()];
      return { kind: 'entry', entry: { index, term, kind: ENTRY_KINDS[kind], data } };
    }
    case KIND.snapshot:
      return { kind: 'snapshot', mark: { index: reader.u64(), term: reader.u64() } };
    case KIND.installed:
      return { kind: 'installed', mark: { index: reader.u64(), term: reader.u64() } };
    default:
      throw new RangeError(`a record of unknown kind ${kind}`);
  }
}

function readConfiguration(bytes: Uint8Array): Configuration {
  try {
    return decodeConfiguration(bytes);
  } catch (cause) {
    throw new RangeError('a configuration that is none', { cause });
  }
}
