import { assert } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import type { FlowLimits } from './progress.js';
import type { NodeId } from './types.js';

export interface RaftConfig extends FlowLimits {
  readonly id: NodeId;
  /** Ticks between a leader's heartbeats; at least 1. */
  readonly heartbeatTicks: number;
  /**
   * Ticks without a leader after which a node campaigns, at least; each waits up to twice as long, by
   * chance. Also the time after which a leader that no quorum answers, or whose disk does not, steps
   * down. Above `heartbeatTicks`.
   */
  readonly electionTicks: number;
  /** Bytes of proposals above the commit index at which further ones are refused. */
  readonly maxUncommittedBytes: number;
  /** Bytes of committed entries in one Ready, unless a single entry is larger. */
  readonly maxApplyBytes: number;
  /** Bytes of entries in one message, unless a single entry is larger. */
  readonly maxMessageBytes: number;
  /** Reads that wait for their confirmation; more are dropped. */
  readonly maxReads: number;
  /** Entries by which a learner may lag that becomes a voter. */
  readonly catchUpEntries: number;
  /** Spreads elections. */
  readonly rng: Rng;
}

export function checkConfig(config: RaftConfig): void {
  assert(config.id !== '', 'a node has an id');
  assert(config.heartbeatTicks >= 1, 'a heartbeat takes at least one tick');
  assert(config.electionTicks > config.heartbeatTicks, 'an election takes longer than a heartbeat');
  assert(config.maxInflightMessages >= 1, 'at least one message may be under way');
}
