import type { HeldSnapshot, JsonObject, Snapshot } from '@pawl/contracts';
import type { PawlErrorCode } from '../errors.js';
import type { LastKnownGood, Restored, VariantContent } from './last-known-good.js';
import type { VersionPoint } from './version-point.js';

/** What happens to one address. Answers to effects carry the effect's `job`; late ones are ignored. */
export type ApplierInput =
  /** What the file says to start from: as the first input, or later where the disk is late. */
  | { readonly kind: 'restored'; readonly record: Restored }
  /** The owner leases this slot to the consumer; `null`: none. */
  | { readonly kind: 'leased'; readonly slot: number | null }
  /** A push carried this snapshot; `text` is what it was parsed from. */
  | { readonly kind: 'pushed'; readonly snapshot: Snapshot; readonly text?: string | undefined }
  /** A push or a heartbeat's reply named this snapshot without carrying it. */
  | { readonly kind: 'named'; readonly point: VersionPoint; readonly hash: string }
  /** A read was answered; `null`: nothing usable was there. */
  | {
      readonly kind: 'read';
      readonly snapshot: Snapshot | null;
      readonly text?: string | undefined;
    }
  /** The content of a fetch is not there, or not what it should be; the fetch goes on. */
  | { readonly kind: 'missing'; readonly job: number }
  | {
      readonly kind: 'fetched';
      readonly job: number;
      readonly content: VariantContent;
      readonly document: JsonObject;
    }
  /** `validate` ended; `null`: it did not throw. */
  | { readonly kind: 'validated'; readonly job: number; readonly failure: string | null }
  /** The record is durable, or could not be written, which does not hold the application back. */
  | { readonly kind: 'stored'; readonly job: number }
  /** Nobody answered in time: run what the file holds if nothing runs yet. */
  | { readonly kind: 'settle' };

export interface FetchEffect {
  readonly kind: 'fetch';
  readonly job: number;
  readonly version: number;
  readonly hash: string;
  readonly size: number;
}

export interface ValidateEffect {
  readonly kind: 'validate';
  readonly job: number;
  readonly version: number;
  readonly document: JsonObject;
}

export interface ApplyEffect {
  readonly kind: 'apply';
  readonly head: HeldSnapshot;
  /** `undefined`: the address is absent. */
  readonly document: JsonObject | undefined;
  /** Version that ran before, the same one if only the cohort is another; `null` if none did. */
  readonly previous: number | null;
  /** A layer went to a lower definition version or away: a rollback, or a cohort that was left. */
  readonly lowered: boolean;
}

export interface Rejection extends VersionPoint {
  readonly hash: string;
  /** As which it was to run. */
  readonly cohort: string;
  readonly reason: string;
}

/** What the shell around the applier is to do, in this order. */
export type ApplierEffect =
  | FetchEffect
  | ValidateEffect
  | { readonly kind: 'store'; readonly job: number; readonly record: LastKnownGood }
  | ApplyEffect
  | { readonly kind: 'reject'; readonly rejection: Rejection }
  /** Read the stream: something newer was named, what arrived was damaged, or the slot is another. */
  | { readonly kind: 'read'; readonly because: 'named' | 'damaged' | 'missing' | 'slot' }
  | { readonly kind: 'report'; readonly code: PawlErrorCode; readonly message: string };
