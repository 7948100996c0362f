import { assert } from '@pawl/kernel';
import { foundingState } from '@pawl/raft/core';
import type { DurableState, Ready, SnapshotMark } from '@pawl/raft/core';

/** What a node's disk holds; it outlives the process. */
export interface SimulatedDisk {
  readonly clusterId: string;
  readonly folderId: string;
  durable: DurableState;
  /** The state machine's state as of the snapshot; null before the first. */
  state: Uint8Array | null;
  /** Reads that were asked for by any process of this node. */
  reads: number;
  /** Written no more while it is set. */
  hangs: boolean;
}

/** `founders` empty: the node joins, and waits until it is fed. */
export function emptyDisk(
  clusterId: string,
  folderId: string,
  founders: readonly string[],
): SimulatedDisk {
  const durable = foundingState(founders);
  return { clusterId, folderId, durable, state: null, reads: 0, hangs: false };
}

/** Makes all of a Ready durable at once; `state` is that of its snapshot, if it has one. */
export function writeReady(disk: SimulatedDisk, ready: Ready, state: Uint8Array | null): void {
  const { durable } = disk;
  const snapshot = ready.snapshot ?? durable.snapshot;
  const base = ready.snapshot === null ? durable.entries : [];
  const first = ready.entries[0]?.index ?? Infinity;
  const kept = base.filter((entry) => entry.index > snapshot.index && entry.index < first);
  if (ready.snapshot !== null) {
    assert(state !== null, 'the state arrived before the message');
    disk.state = state;
  }
  const hardState = ready.hardState ?? durable.hardState;
  disk.durable = { hardState, snapshot, entries: [...kept, ...ready.entries] };
}

/** Makes a snapshot that the node took durable, and lets go of the log behind it. */
export function writeSnapshot(disk: SimulatedDisk, mark: SnapshotMark, state: Uint8Array): void {
  const { hardState, entries } = disk.durable;
  const left = entries.filter(({ index }) => index > mark.index);
  disk.state = state;
  disk.durable = { hardState, snapshot: mark, entries: left };
}
