/** What a writer asks of one scope. `by`: unique, the author that the truth records. */
export type CallRequest =
  | {
      readonly kind: 'put';
      /** `If-Match` of this version, 0: `If-None-Match: *`; null: whatever is there. */
      readonly expected: number | null;
      /** Sent with an idempotency key, and again when an outcome stays unknown. */
      readonly keyed: boolean;
    }
  | {
      readonly kind: 'promote';
      /** null: the newest. */
      readonly target: number | null;
      readonly expected: number | null;
    }
  | { readonly kind: 'rollback'; readonly target: number; readonly expected: number | null }
  | { readonly kind: 'get-config' }
  | { readonly kind: 'get-release' };

export type CallOutcome =
  | {
      readonly kind: 'definition';
      readonly version: number;
      readonly hash: string;
      readonly author: string;
    }
  | {
      readonly kind: 'release';
      readonly releaseVersion: number;
      readonly state: string;
      readonly stableVersion: number | null;
    }
  /** Looked at and refused; with the version that was there, where it says so. */
  | { readonly kind: 'refused'; readonly code: string; readonly current: number | null }
  /** Surely not done, neither now nor later. */
  | { readonly kind: 'failed'; readonly why: string }
  /** May have been done, or be done later. */
  | { readonly kind: 'unknown'; readonly why: string };

export interface Call {
  /** The author under which it writes: names the call in the truth. */
  readonly id: string;
  readonly writer: string;
  readonly scope: string;
  readonly request: CallRequest;
  /** SHA-256 of the document that it puts. */
  readonly hash: string | null;
  /** Milliseconds on the clock of the chaos. */
  readonly calledAt: number;
  readonly returnedAt: number;
  readonly outcome: CallOutcome;
  /** How often it was sent. */
  readonly attempts: number;
}

export const changes = ({ request: { kind } }: Pick<Call, 'request'>): boolean =>
  kind === 'put' || kind === 'promote' || kind === 'rollback';

export const isAcknowledged = (call: Call): boolean =>
  changes(call) && (call.outcome.kind === 'definition' || call.outcome.kind === 'release');
