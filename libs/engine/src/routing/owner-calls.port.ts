import type { Outcome } from '@pawl/contracts';

/** Nobody owns the shard under this token: look at the shard map again. Nothing was done. */
export class NoOwnerError extends Error {
  override readonly name = 'NoOwnerError';
}

/** The owner did not answer in time, or what came back was no answer: it may have been done. */
export class CommandOutcomeUnknownError extends Error {
  override readonly name = 'CommandOutcomeUnknownError';
}

/** Whom a call is for: who owns the shard under this token, and nobody else. */
export interface OwnerTarget {
  readonly shard: number;
  readonly token: bigint;
}

/** An `OwnerCall` as it is sent: as JSON, since a parsed body takes many times the memory of its text. */
export interface CallMessage {
  readonly json: string;
}

/** Reaches the owner of a shard, which is another node; NATS request/reply in production. */
export interface OwnerCalls {
  /**
   * What the owner answers within `deadlineMs`; a problem with the code `no-owner` is thrown as
   * {@link NoOwnerError}. Throws {@link CommandOutcomeUnknownError} too, and
   * `DistributionUnavailableError` where surely nothing was sent.
   */
  call(target: OwnerTarget, call: CallMessage, deadlineMs: number): Promise<Outcome<unknown>>;
}
