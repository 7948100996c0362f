/** What lies on disk is not what was written there: somebody has to look before the node starts. */
export class CorruptionError extends Error {
  override readonly name = 'CorruptionError';
  constructor(
    readonly file: string,
    readonly offset: number,
    what: string,
  ) {
    super(
      `${file} is damaged at byte ${offset}: ${what}. Nothing was changed. Restore the folder from a backup, or move it away to start anew without its data.`,
    );
  }
}

/** The folder belongs to another node or cluster, or was written by a newer version of Pawl. */
export class WrongFolderError extends Error {
  override readonly name = 'WrongFolderError';
}

/**
 * A write, a sync or the state machine failed. The node stopped for good: what is on disk shows only
 * after a restart.
 */
export class NodeFailedError extends Error {
  override readonly name = 'NodeFailedError';
}

/** The node was stopped, or stopped by itself; whoever waits waits in vain. */
export class NodeStoppedError extends Error {
  override readonly name = 'NodeStoppedError';
}

/** No quorum confirmed a read in time. */
export class BarrierDeadlineError extends Error {
  override readonly name = 'BarrierDeadlineError';
}
