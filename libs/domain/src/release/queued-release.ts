import type { ResolvedStrategy } from './resolve-strategy.js';

/** Who asks for a transition, when by wall time, RFC 3339, and in which generation. */
export interface Asked {
  readonly by: string;
  readonly at: string;
  readonly generation: number;
}

/** A promote that was asked for and begins later: one address has one at most. */
export interface QueuedRelease {
  /** That it has as a release, once it begins. */
  readonly id: string;
  /** The definition version that is promoted, above the stable one and the candidate. */
  readonly targetVersion: number;
  /** As it was resolved when it was queued; `null`: all at once. */
  readonly strategy: ResolvedStrategy | null;
  /** Who asked for it, and when: wall time, RFC 3339. */
  readonly by: string;
  readonly queuedAt: string;
  /** Of the installation then: another one may know no more that it was cancelled, or has begun. */
  readonly generation: number;
  readonly reason: string | null;
  /** Why it begins although the scope is frozen; `null`: it waits. */
  readonly freezeException: string | null;
  /** Wall time, RFC 3339, before which it does not begin; `null`: once nothing is under way. */
  readonly beginAt: string | null;
}
