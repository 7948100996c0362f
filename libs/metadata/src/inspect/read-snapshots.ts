import type { Configuration } from '@pawl/raft/core';
import { SnapshotFiles } from '@pawl/raft/node';
import type { Identity } from '@pawl/raft/node';
import { DEFAULT_STATE_LIMITS, SnapshotReader } from '../state/index.js';
import { storedFolder } from './stored-folder.js';

/** A snapshot file; what a damaged one holds is null. */
export interface SnapshotView {
  readonly index: number;
  readonly term: number | null;
  readonly configuration: Configuration | null;
  readonly identity: Identity | null;
  readonly stateBytes: number | null;
  /** Of the store as of `index`. */
  readonly revision: number | null;
  /** Null: its checksums hold and its state can be read. */
  readonly problem: string | null;
}

/** The snapshots of a member's folder, newest first. */
export async function readSnapshots(path: string): Promise<readonly SnapshotView[]> {
  const files = new SnapshotFiles(await storedFolder(path));
  const views: SnapshotView[] = [];
  for (const index of await files.indexes()) views.push(await readOne(files, index));
  return views;
}

async function readOne(files: SnapshotFiles, index: number): Promise<SnapshotView> {
  const damaged = { term: null, configuration: null, identity: null, stateBytes: null };
  try {
    const { mark, identity, state } = await files.read(index);
    const { term, configuration } = mark;
    const known = { index, term, configuration, identity, stateBytes: state.length };
    return { ...known, ...readState(state) };
  } catch (error) {
    return { index, ...damaged, revision: null, problem: messageOf(error) };
  }
}

function readState(state: Uint8Array): Pick<SnapshotView, 'revision' | 'problem'> {
  try {
    const reader = new SnapshotReader(DEFAULT_STATE_LIMITS.sessions);
    reader.push(state);
    return { revision: reader.finish().keys.revision, problem: null };
  } catch (error) {
    return { revision: null, problem: `the state cannot be read: ${messageOf(error)}` };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
