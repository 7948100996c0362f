import type { AddressText } from '@pawl/contracts';
import type { Fence } from '../sharding/fence.js';

/** One incarnation of a consumer under one root, as last heard. */
export interface ConsumerRecord {
  readonly root: string;
  readonly workload: string;
  readonly consumerId: string;
  readonly incarnation: string;
  readonly build: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly slot: number | null;
  readonly lastSeenAt: string;
  /** Said goodbye when it was last heard. */
  readonly left: boolean;
  readonly runs: readonly ConsumerRunRecord[];
}

/** What that incarnation reported for one address. */
export interface ConsumerRunRecord {
  readonly address: AddressText;
  readonly generation: number;
  readonly version: number;
  readonly highestVersion: number;
  readonly appliedAt: string | null;
  readonly rejectedVersion: number | null;
  readonly reason: string | null;
  /** As which cohort it runs `version`; left out for the stable one, as in records of earlier builds. */
  readonly cohort?: string;
  /** As which it was to run what it rejected; `null`: not known. */
  readonly rejectedCohort?: string | null;
  readonly propagationMs: number | null;
  /** Its {@link RunRecord} was saved before; left out in records of earlier builds. */
  readonly noted?: true;
}

/** What one incarnation runs at one address from a time on, until its next record. */
export interface RunRecord {
  readonly address: AddressText;
  readonly workload: string;
  readonly consumerId: string;
  readonly incarnation: string;
  /** When it applied, as it said; else when it was heard. Unlike that of each other record of it. */
  readonly at: string;
  readonly generation: number;
  /** 0: nothing yet. */
  readonly version: number;
  readonly cohort: string;
  readonly hash: string | null;
  readonly rejectedVersion: number | null;
  readonly reason: string | null;
  /** It said goodbye, or closed the address. */
  readonly left: boolean;
}

/** When a snapshot was published at an address that consumers have open. */
export interface PublishedRecord {
  readonly address: AddressText;
  readonly at: string;
  readonly generation: number;
  readonly version: number;
}

/**
 * Keeps the status projection over restarts of the owner. Never touches the truth tables; writes
 * carry the fence and throw `FencedError` when it is another's.
 */
export interface StatusStore {
  load(fence: Fence): Promise<readonly ConsumerRecord[]>;
  /** Inserts or replaces by (root, workload, consumerId, incarnation). */
  save(fence: Fence, records: readonly ConsumerRecord[]): Promise<void>;
  /** Deletes records of the shard last seen before `before`; answers how many. */
  sweep(fence: Fence, before: string): Promise<number>;
  /** Adds to what consumers ran and what was published; the same again changes nothing. */
  saveRuns(
    fence: Fence,
    runs: readonly RunRecord[],
    published: readonly PublishedRecord[],
  ): Promise<void>;
  /**
   * Deletes what tells of no time since `before`, and of an address with more than `most` records what
   * tells of no time since the first of its newest `most`; answers how many.
   */
  sweepRuns(fence: Fence, before: string, most: number): Promise<number>;
}
