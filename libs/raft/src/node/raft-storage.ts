import { foundingState, members } from '../core/index.js';
import type { DurableState, Entry, SnapshotMark } from '../core/index.js';
import { SnapshotFiles } from './snapshot-files.js';
import type { StoredSnapshot } from './snapshot-files.js';
import { makeAlone } from './make-alone.js';
import { CorruptionError, WrongFolderError } from './node-errors.js';
import type { StorageFolder } from './storage-folder.port.js';
import { readLog, settleTail } from './wal-recovery.js';
import type { RecoveredLog } from './wal-recovery.js';
import type { Identity } from './wal-record.js';
import { WriteAheadLog } from './write-ahead-log.js';

export interface StorageOptions {
  readonly folder: StorageFolder;
  readonly nodeId: string;
  /** Another id that a folder which was used may have; its own counts then. */
  readonly otherId?: string;
  /** Null: whichever cluster the folder belongs to, a new one if it is empty. */
  readonly clusterId: string | null;
  /** Who votes first, if the folder is empty; null: this node joins others. */
  readonly founders: readonly string[] | null;
  /** Whose an empty folder becomes; left out: that of a new cluster. */
  readonly newPlace?: () => Promise<NewPlace>;
  /** A random identifier, for what is made anew. */
  readonly newId: () => string;
  /** Makes this node the only member, and what is applied with that. */
  readonly forceAlone?: Uint8Array;
  /** A segment beyond this length is followed by a new one. */
  readonly segmentBytes: number;
}

/** A place in a cluster. */
export interface NewPlace {
  readonly clusterId: string;
  /** Left out: as the node calls itself. */
  readonly nodeId?: string;
}

/** A node's folder, recovered and open for writing. */
export interface OpenStorage {
  readonly identity: Identity;
  readonly log: WriteAheadLog;
  readonly snapshots: SnapshotFiles;
  /** What the core starts from. */
  readonly state: DurableState;
  /** State of the state machine at `state.snapshot`; null: it starts empty. */
  readonly snapshotState: Uint8Array | null;
  /** What was found and set right, one sentence each. */
  readonly notes: readonly string[];
  /** What the folder held before; null: nothing, it was begun now. */
  readonly found: FoundLog | null;
}

export interface FoundLog {
  /** Who voted first, none in a folder that joined; null: that was compacted away. */
  readonly founders: readonly string[] | null;
}

/**
 * Opens a node's folder: begins it when it is empty, otherwise recovers it. Throws
 * {@link CorruptionError} when acknowledged data may be gone and {@link WrongFolderError} when the
 * folder is not this node's, or empty though it is to go on alone; then no file was changed.
 */
export async function openStorage(options: StorageOptions): Promise<OpenStorage> {
  const { folder, segmentBytes } = options;
  const snapshots = new SnapshotFiles(folder);
  const recovered = await readLog(folder);
  if (recovered === null) {
    await checkNoSnapshots(snapshots);
    await removeLeftOvers(folder);
    return beginStorage(options, snapshots);
  }
  checkIdentity(options, recovered.identity);
  const { damaged, ...found } = await assemble(snapshots, recovered);
  /* From here on files are changed. */
  await removeLeftOvers(folder);
  await settleTail(folder, recovered);
  for (const index of damaged) await snapshots.setAside(index);
  for (const index of await snapshots.received()) {
    if (index === recovered.installed?.index) await snapshots.adopt(index);
    else await snapshots.discardReceived(index);
  }
  const log = await WriteAheadLog.resume(folder, recovered, segmentBytes);
  const { forceAlone } = options;
  const { nodeId } = recovered.identity;
  if (forceAlone === undefined) return { ...found, log, snapshots };
  const state = await makeAlone(log, found.state, { nodeId, command: forceAlone });
  return { ...found, state, log, snapshots };
}

/**
 * What {@link openStorage} would start from and set right, without changing a file; null when the
 * folder is empty. Throws as it does.
 */
export async function readStorage(
  folder: StorageFolder,
): Promise<Pick<OpenStorage, 'identity' | 'state' | 'notes' | 'found'> | null> {
  const snapshots = new SnapshotFiles(folder);
  const recovered = await readLog(folder);
  if (recovered !== null) return assemble(snapshots, recovered);
  await checkNoSnapshots(snapshots);
  return null;
}

async function assemble(
  snapshots: SnapshotFiles,
  recovered: RecoveredLog,
): Promise<Omit<OpenStorage, 'log' | 'snapshots'> & { damaged: readonly number[] }> {
  const notes: string[] = [];
  if (recovered.cut !== null) {
    const { file, offset, bytes } = recovered.cut;
    notes.push(`cut ${bytes} bytes of an unfinished write off ${file} at byte ${offset}`);
  }
  const { snapshot, damaged } = await newestSnapshot(snapshots, recovered);
  const state = combine(snapshots.folder.path, recovered, snapshot);
  for (const { file } of damaged) {
    notes.push(`${file} is damaged; the snapshot before it and the log serve instead`);
  }
  return {
    identity: recovered.identity,
    state,
    snapshotState: snapshot?.state ?? null,
    notes,
    found: { founders: recovered.founding === null ? null : members(recovered.founding) },
    damaged: damaged.map(({ index }) => index),
  };
}

async function checkNoSnapshots(snapshots: SnapshotFiles): Promise<void> {
  const found = [...(await snapshots.indexes()), ...(await snapshots.received())];
  if (found.length > 0) throw logIsGone(snapshots.folder);
}

function logIsGone(folder: StorageFolder): CorruptionError {
  return new CorruptionError(folder.path, 0, 'there are snapshots, but the log is gone');
}

async function beginStorage(
  options: StorageOptions,
  snapshots: SnapshotFiles,
): Promise<OpenStorage> {
  const { folder, founders, newId, segmentBytes } = options;
  if (options.forceAlone !== undefined) {
    throw new WrongFolderError(
      `${folder.path} holds no member: name the folder of the one that is left`,
    );
  }
  const place = options.clusterId === null ? await options.newPlace?.() : undefined;
  const clusterId = options.clusterId ?? place?.clusterId ?? newId();
  const nodeId = place?.nodeId ?? options.nodeId;
  const identity: Identity = { clusterId, nodeId, folderId: newId() };
  const state = foundingState(founders ?? []);
  const { configuration } = state.snapshot;
  const log = await WriteAheadLog.create(folder, { identity, configuration }, segmentBytes);
  return { identity, log, snapshots, state, snapshotState: null, notes: [], found: null };
}

async function removeLeftOvers(folder: StorageFolder): Promise<void> {
  const leftOvers = (await folder.list()).filter((name) => name.endsWith('.tmp'));
  for (const name of leftOvers) await folder.remove(name);
  if (leftOvers.length > 0) await folder.sync();
}

function checkIdentity(options: StorageOptions, found: Identity): void {
  const { clusterId, nodeId, otherId, folder } = options;
  if (found.nodeId !== nodeId && found.nodeId !== otherId) {
    throw new WrongFolderError(
      `${folder.path} belongs to node "${found.nodeId}", not "${nodeId}"; start with that id or give another data folder`,
    );
  }
  if (clusterId !== null && found.clusterId !== clusterId) {
    throw new WrongFolderError(
      `${folder.path} belongs to cluster ${found.clusterId}, not ${clusterId}; give another data folder`,
    );
  }
}

/**
 * The newest snapshot that is whole, and the damaged ones that it was taken instead of. What a leader
 * sent counts if the log says that it took its place.
 */
async function newestSnapshot(
  snapshots: SnapshotFiles,
  { installed }: RecoveredLog,
): Promise<{
  snapshot: StoredSnapshot | null;
  damaged: { index: number; file: string }[];
}> {
  const named = await snapshots.indexes();
  const received = (await snapshots.received()).filter((index) => index === installed?.index);
  const indexes = [...new Set([...named, ...received])].sort((a, b) => b - a);
  const damaged: { index: number; file: string }[] = [];
  for (const [at, index] of indexes.entries()) {
    try {
      return { snapshot: await snapshots.read(index, received.includes(index)), damaged };
    } catch (error) {
      if (!(error instanceof CorruptionError) || at === indexes.length - 1) throw error;
      damaged.push({ index, file: error.file });
    }
  }
  return { snapshot: null, damaged };
}

function combine(
  path: string,
  recovered: RecoveredLog,
  snapshot: StoredSnapshot | null,
): DurableState {
  const mark = snapshot?.mark ?? foundingMark(recovered);
  const { hardState, firstIndex, lastIndex, installed } = recovered;
  if (firstIndex > mark.index + 1) {
    const gap = `the log begins with entry ${firstIndex}, the newest whole snapshot ends at ${mark.index}`;
    throw new CorruptionError(path, 0, gap);
  }
  const promised = Math.max(mark.index, hardState.commit);
  if (lastIndex < promised) {
    const lost = `the log ends at entry ${lastIndex}, though ${promised} were committed`;
    throw new CorruptionError(path, 0, lost);
  }
  const covered =
    installed?.index === mark.index
      ? installed
      : recovered.entries.find((entry) => entry.index === mark.index);
  const belongs = snapshot === null || sameCluster(snapshot.identity, recovered.identity);
  if (!belongs || (covered !== undefined && covered.term !== mark.term)) {
    throw new CorruptionError(path, 0, `snapshot ${mark.index} is not of this log`);
  }
  const entries: Entry[] = recovered.entries.filter((entry) => entry.index > mark.index);
  return { hardState, snapshot: mark, entries };
}

/** A log that does not say who founded the cluster is of a version in which nodes were alone. */
function foundingMark({ founding, identity }: RecoveredLog): SnapshotMark {
  if (founding === null) return foundingState([identity.nodeId]).snapshot;
  return { index: 0, term: 0, configuration: founding };
}

function sameCluster(a: Identity, b: Identity): boolean {
  return a.clusterId === b.clusterId && a.nodeId === b.nodeId && a.folderId === b.folderId;
}
