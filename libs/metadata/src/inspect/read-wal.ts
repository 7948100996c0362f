import { decodeConfiguration } from '@pawl/raft/core';
import {
  CorruptionError,
  decodeRecords,
  readLog,
  readSegment,
  segmentName,
  segmentSequence,
  WrongFolderError,
} from '@pawl/raft/node';
import type { StorageFolder, WalRecord } from '@pawl/raft/node';
import { configurationText } from './configuration-text.js';
import { describeCommand } from './describe-command.js';
import { storedFolder } from './stored-folder.js';

/** One record of the write-ahead log, in the order in which it was written. */
export interface WalRecordView {
  readonly segment: string;
  /** Of the frame, whose records became durable together. */
  readonly offset: number;
  readonly kind: Exclude<WalRecord['kind'], 'entry'> | EntryKind;
  readonly index: number | null;
  readonly term: number | null;
  /** Of an entry's data. */
  readonly bytes: number | null;
  /** What the entry asks for, else null. */
  readonly command: string | null;
  readonly detail: string;
}

type EntryKind = 'command' | 'noop' | 'configuration';

export interface WalSegmentView {
  readonly name: string;
  readonly bytes: number;
  /** Null when the segment does not say. */
  readonly firstIndex: number | null;
  readonly records: readonly WalRecordView[];
  /** Damage that keeps the node from starting; names the file. */
  readonly problem: string | null;
  /** An unfinished write at the end of the log, which a start cuts off. */
  readonly note: string | null;
}

/** Reads the log segment by segment, oldest first; whatever is damaged ends its own segment only. */
export async function* readWal(path: string): AsyncGenerator<WalSegmentView> {
  const folder = await storedFolder(path);
  const sequences = (await folder.list())
    .map(segmentSequence)
    .filter((sequence) => sequence !== null)
    .sort((left, right) => left - right);
  for (const sequence of sequences) {
    yield await readOne(folder, sequence, sequence === sequences.at(-1));
  }
}

/**
 * What keeps a node from starting with this log as a whole, as the start itself judges it: also that a
 * segment or the end of what was durable is missing, which no segment shows by itself. Null: nothing.
 */
export async function judgeWal(path: string): Promise<string | null> {
  const folder = await storedFolder(path);
  try {
    await readLog(folder);
    return null;
  } catch (error) {
    const isVerdict = error instanceof CorruptionError || error instanceof WrongFolderError;
    if (isVerdict) return error.message;
    throw error;
  }
}

async function readOne(
  folder: StorageFolder,
  sequence: number,
  isLast: boolean,
): Promise<WalSegmentView> {
  const name = segmentName(sequence);
  const bytes = Buffer.from(await folder.read(name));
  const segment = { name, bytes: bytes.length };
  try {
    const { scan, firstIndex } = readSegment(`${folder.path}/${name}`, sequence, bytes);
    const records = scan.frames.flatMap(({ offset, payload }) =>
      decodeRecords(payload).map((record) => ({ segment: name, offset, ...view(record) })),
    );
    const { damage } = scan;
    const what = damage === null ? null : `${name} at byte ${damage.offset}: ${damage.what}`;
    const isNote = isLast && damage?.torn === true;
    const judged = { problem: isNote ? null : what, note: isNote ? what : null };
    return { ...segment, firstIndex, records, ...judged };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { ...segment, firstIndex: null, records: [], problem, note: null };
  }
}

function view(record: WalRecord): Omit<WalRecordView, 'segment' | 'offset'> {
  const none = { index: null, term: null, bytes: null, command: null };
  switch (record.kind) {
    case 'segment': {
      const detail = `entries from ${record.firstIndex} on; the segment before ends at byte ${record.previousEnd}`;
      return { ...none, kind: record.kind, detail };
    }
    case 'identity': {
      const { clusterId, nodeId, folderId } = record.identity;
      const detail = `node ${nodeId} of cluster ${clusterId}, folder ${folderId}`;
      return { ...none, kind: record.kind, detail };
    }
    case 'founding':
      return { ...none, kind: record.kind, detail: configurationText(record.configuration) };
    case 'hard-state': {
      const { term, vote, commit } = record.hardState;
      const detail = `vote ${vote ?? 'none'}, commit ${commit}`;
      return { ...none, kind: record.kind, term, detail };
    }
    case 'installed': {
      const detail = "a leader's snapshot took the place of the log";
      return { ...none, kind: record.kind, ...record.mark, detail };
    }
    case 'snapshot':
      return { ...none, kind: record.kind, ...record.mark, detail: 'became durable' };
    case 'entry': {
      const { index, term, kind, data } = record.entry;
      const command = kind === 'command' ? describeCommand(data) : null;
      const detail = kind === 'configuration' ? configurationOf(data) : (command?.detail ?? '');
      return { kind, index, term, bytes: data.length, command: command?.command ?? null, detail };
    }
  }
}

function configurationOf(data: Uint8Array): string {
  try {
    return configurationText(decodeConfiguration(data));
  } catch (error) {
    return (error as Error).message;
  }
}
