import type { HeldSnapshot, JsonObject, Snapshot } from '@pawl/contracts';
import type { VariantContent } from './last-known-good.js';

/** A snapshot on its way to be run. */
export interface Candidate {
  readonly head: HeldSnapshot;
  readonly lowered: boolean;
  readonly fromFile: boolean;
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
