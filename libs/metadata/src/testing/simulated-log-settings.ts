import type { Rng } from '@pawl/kernel';
import type { RaftConfig } from '@pawl/raft/core';

export interface SimulatedLogSettings {
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
  /** Of one write, by chance up to this. */
  readonly diskMs: number;
  /** Applied entries after which a snapshot is taken. */
  readonly snapshotEntries: number;
  readonly maxUncommittedBytes: number;
  /** Entries by which a learner may lag that becomes a voter. */
  readonly catchUpEntries: number;
}

export const SIMULATED_LOG_SETTINGS: SimulatedLogSettings = {
  tickMs: 50,
  heartbeatTicks: 2,
  electionTicks: 10,
  diskMs: 1,
  snapshotEntries: 1000,
  maxUncommittedBytes: 16 * 1024 * 1024,
  catchUpEntries: 10,
};

export function coreConfig(id: string, settings: SimulatedLogSettings, rng: Rng): RaftConfig {
  const { heartbeatTicks, electionTicks, maxUncommittedBytes, catchUpEntries } = settings;
  return {
    id,
    heartbeatTicks,
    electionTicks,
    maxUncommittedBytes,
    maxApplyBytes: 1024 * 1024,
    maxMessageBytes: 1024 * 1024,
    maxInflightMessages: 64,
    maxInflightBytes: 16 * 1024 * 1024,
    maxReads: 10_000,
    catchUpEntries,
    rng,
  };
}
