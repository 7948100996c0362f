import type { HeldSnapshot, JsonObject, Snapshot } from '@pawl/contracts';
import type { VariantContent } from './last-known-good.js';

/** Where a snapshot came from. */
export interface Origin {
  /** What it was parsed from, if that is at hand. */
  readonly text?: string | undefined;
  /** Read from the stream. */
  readonly stored: boolean;
}

/** A snapshot on its way to be run. */
export interface Candidate {
  readonly head: HeldSnapshot;
  readonly lowered: boolean;
  /** What `head` is of; `null`: the file's record. */
  readonly snapshot: Snapshot | null;
}

export interface FetchJob extends Candidate {
  readonly id: number;
  readonly stage: 'fetching';
  readonly snapshot: Snapshot;
  /** Its content was looked for and is not there. */
  readonly missing: boolean;
}

export interface ContentJob extends Candidate {
  readonly id: number;
  readonly stage: 'validating' | 'storing';
  readonly content: VariantContent;
  readonly document: JsonObject | undefined;
}
