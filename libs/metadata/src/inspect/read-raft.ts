import { decodeConfiguration } from '@pawl/raft/core';
import type { Configuration } from '@pawl/raft/core';
import { readLogReach, readStorage } from '@pawl/raft/node';
import type { Identity } from '@pawl/raft/node';
import { storedFolder } from './stored-folder.js';

/** What a member would start from. */
export interface RaftView {
  readonly identity: Identity;
  readonly term: number;
  readonly vote: string | null;
  readonly commit: number;
  /** Of the newest whole snapshot; 0: none. */
  readonly snapshotIndex: number;
  readonly snapshotTerm: number;
  /** Of the entries behind the snapshot; `null`: none. */
  readonly firstIndex: number | null;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The newest in the log, committed or not. */
  readonly configuration: Configuration;
  /** Of the configuration's entry; that of the snapshot when no entry changes it. */
  readonly configurationIndex: number;
  readonly newestSegment: number | null;
}

export interface RaftInspection {
  /** Null: the node would not start, `problems` say why. */
  readonly raft: RaftView | null;
  /** What stands in the way of a start. */
  readonly problems: readonly string[];
  /** What a start would set right. */
  readonly notes: readonly string[];
}

/** Reads a member's folder as a start would, without changing it. */
export async function readRaft(path: string): Promise<RaftInspection> {
  const folder = await storedFolder(path);
  try {
    const storage = await readStorage(folder);
    if (storage === null) return { raft: null, problems: [], notes: [] };
    const { identity, state, notes } = storage;
    const { snapshot, entries, hardState } = state;
    const change = entries.findLast(({ kind }) => kind === 'configuration');
    const raft: RaftView = {
      identity,
      ...hardState,
      snapshotIndex: snapshot.index,
      snapshotTerm: snapshot.term,
      firstIndex: entries[0]?.index ?? null,
      lastIndex: entries.at(-1)?.index ?? snapshot.index,
      lastTerm: entries.at(-1)?.term ?? snapshot.term,
      configuration:
        change === undefined ? snapshot.configuration : decodeConfiguration(change.data),
      configurationIndex: change?.index ?? snapshot.index,
      newestSegment: (await readLogReach(folder))?.segment ?? null,
    };
    return { raft, problems: [], notes };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { raft: null, problems: [error.message], notes: [] };
  }
}
