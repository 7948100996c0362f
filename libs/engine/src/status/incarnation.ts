import { STABLE_COHORT } from '@pawl/contracts';
import type { AddressText, ConsumerIdentity } from '@pawl/contracts';
import type { ConsumerRef } from '../config-engine.js';

/** What one incarnation last reported for one address. */
export interface Run {
  generation: number;
  version: number;
  /** Of the snapshot that runs; `null`: not reported. */
  hash: string | null;
  /** As which cohort it runs. */
  cohort: string;
  highestVersion: number;
  /** Wall time of the application, milliseconds; `null` while nothing is applied. */
  appliedAtMs: number | null;
  /** Newest rejected (generation, version), while it is above what runs, or to run as another cohort. */
  rejected: Rejection | null;
  /** Publication to application of `version`, milliseconds; `null` when not measured. */
  propagationMs: number | null;
  /** Of what was noted of it last, wall time in milliseconds: grows with each. */
  notedMs: number;
  /** A time to come of which something was noted while the clock was ahead; 0: none. */
  aheadMs: number;
}

export interface Rejection {
  readonly generation: number;
  readonly version: number;
  /** As which cohort it was to run; `null`: only a heartbeat told of it, which does not say. */
  readonly cohort: string | null;
  readonly reason: string;
}

/** One process of a consumer under one root. */
export interface Incarnation {
  readonly ref: ConsumerRef;
  readonly id: string;
  build: string | null;
  labels: Readonly<Record<string, string>>;
  slot: number | null;
  /** Monotonic times of the first and the newest message. */
  readonly firstSeenMs: number;
  lastSeenMs: number;
  lastSeenWallMs: number;
  /** Wall time since which it is live without a break, milliseconds. */
  liveSinceMs: number;
  /** When it was live before it last fell silent, wall time in milliseconds; `null`: never was. */
  liveBefore: { readonly sinceMs: number; readonly untilMs: number } | null;
  /** Was live when its records were saved, and could not be heard until they were read. */
  presumed: boolean;
  /** Said goodbye. */
  left: boolean;
  readonly runs: Map<AddressText, Run>;
}

/** `workload/consumerId` under one root. */
export function consumerKey(ref: ConsumerRef): string {
  return `${ref.root}/${ref.workload}/${ref.consumerId}`;
}

/** What decides which releases a consumer is a candidate of, as it reported and as its slot is. */
export function identityOf({ ref, slot, labels }: Incarnation): ConsumerIdentity {
  return { workload: ref.workload, slot, labels };
}

/** Whether it was live at a wall time, as far as it was heard. */
export function wasLiveAt({ liveSinceMs, liveBefore }: Incarnation, wallMs: number): boolean {
  if (wallMs >= liveSinceMs) return true;
  return liveBefore !== null && wallMs >= liveBefore.sinceMs && wallMs <= liveBefore.untilMs;
}

export function emptyRun(): Run {
  return {
    generation: 0,
    version: 0,
    hash: null,
    cohort: STABLE_COHORT,
    highestVersion: 0,
    appliedAtMs: null,
    rejected: null,
    propagationMs: null,
    notedMs: 0,
    aheadMs: 0,
  };
}
