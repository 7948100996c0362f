import type { Clock, Timer } from '@pawl/kernel';
import type { RaftSettings, StorageFolder } from '@pawl/raft/node';
import type { StateLimits } from '../state/index.js';
import { openQuorum, openQuorumOn } from './open-quorum.js';
import type { QuorumNode } from './quorum-node.js';
import type { QuorumSettings } from './quorum-settings.js';

export interface MetadataOptions {
  /** The folder that this process takes for itself; made if it is missing. */
  readonly dataDir: string;
  readonly nodeId: string;
  /** Left out: the cluster that the folder belongs to, a new one if it is empty. */
  readonly clusterId?: string;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly limits?: Partial<StateLimits>;
  readonly raft?: Partial<RaftSettings>;
  /** Revisions of history kept at least; older ones are compacted away. */
  readonly keepRevisions?: number;
  readonly maxWatches?: number;
  /** Called once if the store stops by itself, for good: its disk failed. */
  readonly onFailure?: (error: Error) => void;
}

/**
 * Opens the metadata store of a node that is alone: it leads at once. Rejects, with a sentence for
 * people, when the folder is in use, damaged, or not this node's.
 */
export function openMetadata(options: MetadataOptions): Promise<QuorumNode> {
  return openQuorum({ ...options, settings: settingsOf(options) });
}

/** The same on a folder that the caller has locked. */
export function openMetadataOn(
  folder: StorageFolder,
  options: Omit<MetadataOptions, 'dataDir'>,
): Promise<QuorumNode> {
  return openQuorumOn(folder, { ...options, settings: settingsOf(options) });
}

function settingsOf(options: Omit<MetadataOptions, 'dataDir'>): Partial<QuorumSettings> {
  const { keepRevisions, maxWatches } = options;
  return {
    ...(keepRevisions === undefined ? {} : { compaction: { mode: 'revision', keepRevisions } }),
    ...(maxWatches === undefined ? {} : { maxOwnWatches: maxWatches }),
  };
}
