import { assert } from '@pawl/kernel';
import type { RaftConfig } from '../core/index.js';

export interface RaftSettings {
  /** Between a leader's signs of life; at least 2. */
  readonly heartbeatMs: number;
  /**
   * As etcd's election timeout: a node without a leader campaigns after as long, less a heartbeat at
   * most, up to twice as long, by chance. Usually 5 to 10 heartbeats, at least 2.
   */
  readonly electionMs: number;
  readonly segmentBytes: number;
  /** Applied entries, or bytes of them, after which a snapshot is taken. */
  readonly snapshotEntries: number;
  readonly snapshotBytes: number;
  /** Of entries kept in memory behind a snapshot, for members that lag a little. */
  readonly trailingBytes: number;
  /** Proposals that are not applied yet, and barriers that wait; more are refused. */
  readonly maxWaiting: number;
  readonly maxProposalBytes: number;
  /** Bytes of proposals that are not committed yet; more are refused. */
  readonly maxUncommittedBytes: number;
  /** Bytes of entries in one message, unless a single one is larger. */
  readonly maxMessageBytes: number;
  /** Messages with entries, or bytes of them, under way to one member. */
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  /** Entries by which a learner may lag that becomes a voter. */
  readonly catchUpEntries: number;
  /** Longest time that stopping waits for the disk. */
  readonly stopMs: number;
}

/**
 * A dead leader is replaced after 350 to 725 ms without a sign of it, of three nodes typically 475:
 * well below half of what etcd's defaults (100 and 1000 ms) take. Seven heartbeats fit into the
 * shortest wait, so that a process which stands still for 100 ms, or a few lost packets, start no
 * election.
 */
export const DEFAULT_RAFT_SETTINGS: RaftSettings = {
  heartbeatMs: 50,
  electionMs: 400,
  segmentBytes: 8 * 1024 * 1024,
  snapshotEntries: 10_000,
  snapshotBytes: 64 * 1024 * 1024,
  trailingBytes: 32 * 1024 * 1024,
  maxWaiting: 16_384,
  maxProposalBytes: 4 * 1024 * 1024,
  maxUncommittedBytes: 64 * 1024 * 1024,
  maxMessageBytes: 1024 * 1024,
  maxInflightMessages: 256,
  maxInflightBytes: 32 * 1024 * 1024,
  catchUpEntries: 1000,
  stopMs: 5000,
};

/** Ticks in a heartbeat: two suffice to spread elections by steps that a vote fits into. */
const HEARTBEAT_TICKS = 2;
/** Bytes of committed entries that are worked on at once: well below an election time's worth. */
const APPLY_BYTES = 256 * 1024;

export interface Ticks {
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
}

/**
 * A node that waits for n ticks waits for n - 1 of them and a part of one, since the first is already
 * under way. etcd's ticks are heartbeats: of an election timeout of 10 it waits for 9 at least. The
 * same least wait takes as many ticks of ours, which are shorter, and one.
 */
export function ticksOf({ heartbeatMs, electionMs }: RaftSettings): Ticks {
  assert(heartbeatMs >= HEARTBEAT_TICKS, `a heartbeat takes at least ${HEARTBEAT_TICKS} ms`);
  assert(electionMs >= 2 * heartbeatMs, 'an election waits for more than one heartbeat');
  const tickMs = heartbeatMs / HEARTBEAT_TICKS;
  const electionTicks = Math.ceil((electionMs - heartbeatMs) / tickMs) + 1;
  return { tickMs, heartbeatTicks: HEARTBEAT_TICKS, electionTicks };
}

/** What the core is told of the settings. */
export function coreConfig(settings: RaftSettings): Omit<RaftConfig, 'id' | 'rng'> {
  const { heartbeatTicks, electionTicks } = ticksOf(settings);
  return {
    heartbeatTicks,
    electionTicks,
    maxUncommittedBytes: settings.maxUncommittedBytes,
    maxApplyBytes: APPLY_BYTES,
    maxMessageBytes: settings.maxMessageBytes,
    maxInflightMessages: settings.maxInflightMessages,
    maxInflightBytes: settings.maxInflightBytes,
    maxReads: settings.maxWaiting,
    catchUpEntries: settings.catchUpEntries,
    trailingBytes: settings.trailingBytes,
  };
}
