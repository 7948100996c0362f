import type { Pin } from './pin.js';
import type { QueuedRelease } from './queued-release.js';
import type { StagedRelease } from './staged-release.js';

/** `rolling` and `paused` are states of staged releases. */
export type ReleaseStateName = 'idle' | 'rolling' | 'paused' | 'disabled';

/** Release state of one address. Every change makes a new `releaseVersion`. */
export interface ReleaseState {
  readonly state: ReleaseStateName;
  readonly releaseVersion: number;
  readonly stableVersion: number | null;
  /** Release version at which what this layer contributes last changed; 0: never. */
  readonly contributionAt: number;
  /** Release version at which this layer last went to a lower version or away; `null`: never. */
  readonly loweredAt: number | null;
  /** The stable version came by a forced rollback that breaks a schema. */
  readonly forced: boolean;
  /** Versions that may be neither promoted nor rolled back to, ascending. */
  readonly blockedVersions: readonly number[];
  /** The release in stages under way: set exactly while the state is `rolling` or `paused`. */
  readonly staged: StagedRelease | null;
  /** The promote that begins later; `null`: none does. */
  readonly queued: QueuedRelease | null;
  /** The versions of addresses above that this one stays at, by ancestor. */
  readonly pins: readonly Pin[];
}

/** The state before the first action. */
export const INITIAL_RELEASE: ReleaseState = {
  state: 'idle',
  releaseVersion: 0,
  stableVersion: null,
  contributionAt: 0,
  loweredAt: null,
  forced: false,
  blockedVersions: [],
  staged: null,
  queued: null,
  pins: [],
};
