import { assert } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import type { FlowLimits } from './progress.js';
import type { NodeId } from './types.js';

/** Bytes of entries are those of their data and 64 for each; a single larger one passes every limit. */
export interface RaftConfig extends FlowLimits {
  readonly id: NodeId;
  /** Ticks between a leader's heartbeats; at least 1, usually 1 or 2. */
  readonly heartbeatTicks: number;
  /**
   * Ticks without a leader after which a node campaigns, at least; each waits up to twice as long, by
   * chance. Also the time after which a leader that no quorum answers, or whose disk does not, steps
   * down, and after which nothing more is taken for a disk that hangs. Above `heartbeatTicks`, usually
   * 5 to 10 times that.
   */
  readonly electionTicks: number;
  /** Bytes of proposals above the commit index at which further ones are refused; usually 64 MiB. */
  readonly maxUncommittedBytes: number;
  /** Bytes of committed entries that are being applied at once, and one entry more. */
  readonly maxApplyBytes: number;
  /** Bytes of entries in one message; usually 1 MiB. */
  readonly maxMessageBytes: number;
  /** Reads that wait for their confirmation; more are dropped. At least 1, usually thousands. */
  readonly maxReads: number;
  /** Entries by which a learner may lag that becomes a voter; 0 or more, usually 100. */
  readonly catchUpEntries: number;
  /**
   * Bytes of entries that stay in memory behind a snapshot, so that nodes which lag a little need not
   * be sent all of it; 0 when left out.
   */
  readonly trailingBytes?: number;
  /** Spreads elections. */
  readonly rng: Rng;
}

export function checkConfig(config: RaftConfig): void {
  assert(config.id !== '', 'a node has an id');
  assert(config.heartbeatTicks >= 1, 'a heartbeat takes at least one tick');
  assert(config.electionTicks > config.heartbeatTicks, 'an election takes longer than a heartbeat');
  assert(config.maxInflightMessages >= 1, 'at least one message may be under way');
  assert(config.maxReads >= 1, 'at least one read may wait');
  assert(config.catchUpEntries >= 0, 'a lag is 0 or more');
}
