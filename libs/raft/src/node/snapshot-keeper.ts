import { assert } from '@pawl/kernel';
import type { SnapshotMark } from '../core/index.js';
import type { LogMachine } from './raft-node-options.js';
import type { RaftSettings } from './raft-settings.js';
import type { OpenStorage } from './raft-storage.js';
import { restoreInTurns } from './restore-in-turns.js';
import type { SnapshotExtent } from './snapshot-files.js';
import type { SnapshotSource } from './transport/index.js';

export interface SnapshotKeeperOptions {
  readonly storage: OpenStorage;
  readonly machine: LogMachine;
  readonly settings: Pick<RaftSettings, 'snapshotEntries' | 'snapshotBytes'>;
  /** A snapshot was taken: {@link SnapshotKeeper.takeNew} has it. */
  readonly onTaken: () => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Takes snapshots of the state machine beside everything else, puts a leader's in their place, and
 * removes the snapshots and segments that nobody needs any more.
 */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  #newest: SnapshotExtent | null;
  /** Taken, and not yet made use of. */
  #new: SnapshotExtent | null = null;
  #busy: Promise<void> | null = null;
  /** What is being taken is not wanted any more. */
  #abandoned = false;
  #stopped = false;
  #arrived: { readonly mark: SnapshotMark; readonly state: Uint8Array } | null = null;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
    const { state, snapshotState } = options.storage;
    this.#newest =
      snapshotState === null ? null : { mark: state.snapshot, stateBytes: snapshotState.length };
  }

  /** Of the newest snapshot; 0 before the first. */
  get index(): number {
    return this.#newest?.mark.index ?? 0;
  }

  get hasNew(): boolean {
    return this.#new !== null;
  }

  /** Whether enough was applied, up to `applied`, since the last snapshot. */
  isDue(applied: number, appliedBytes: number): boolean {
    const { snapshotEntries, snapshotBytes } = this.#options.settings;
    if (this.#busy !== null || this.#new !== null || this.#stopped) return false;
    const entries = applied - this.index;
    return entries >= snapshotEntries || (entries > 0 && appliedBytes >= snapshotBytes);
  }

  /** Begins to take a snapshot of all that is applied, up to `mark`; false when it cannot be. */
  take(mark: SnapshotMark): boolean {
    /* Nobody votes as of an entry before the first that says who does: no label for a snapshot. */
    if (mark.configuration.voters.length === 0) return false;
    const { storage, machine } = this.#options;
    const { identity } = storage;
    const state = machine.snapshot();
    this.#do(async () => {
      try {
        const abandoned = (): boolean => this.#abandoned || this.#stopped;
        this.#new = await storage.snapshots.write({ mark, identity, state, abandoned });
      } finally {
        state.return?.();
      }
      if (this.#new !== null) this.#options.onTaken();
    });
    return true;
  }

  /** Makes the snapshot that was taken the newest; answers its mark, null when there is none. */
  takeNew(): SnapshotMark | null {
    const taken = this.#new;
    if (taken === null) return null;
    this.#new = null;
    this.#newest = taken;
    this.#tidy();
    return taken.mark;
  }

  /** A leader's snapshot is there, and the core will ask for it. */
  arrived(mark: SnapshotMark, state: Uint8Array): void {
    this.#arrived = { mark, state };
  }

  /**
   * Makes the snapshot that arrived durable, then `logged` the log that begins anew behind it, then
   * replaces the state. A crash at any point leaves either the old or the new.
   */
  async install(mark: SnapshotMark, logged: () => Promise<void>): Promise<void> {
    const { storage, machine } = this.#options;
    const arrived = this.#arrived;
    assert(arrived !== null && isSame(arrived.mark, mark), 'a snapshot is installed that arrived');
    this.#arrived = null;
    this.#abandoned = true;
    await this.idle();
    this.#abandoned = false;
    this.#new = null;
    const { identity, snapshots } = storage;
    const extent = await snapshots.receive({ mark, identity, state: arrived.state });
    await logged();
    await snapshots.adopt(mark.index);
    await restoreInTurns(machine, arrived.state);
    this.#newest = extent;
    this.#tidy();
  }

  /**
   * Reads the state of the snapshot of `index` piece by piece; null when it is not the newest any
   * more, as one may have been taken since the core wanted this one sent.
   */
  opener(index: number): (() => SnapshotSource) | null {
    const newest = this.#newest;
    if (newest?.mark.index !== index) return null;
    const { snapshots } = this.#options.storage;
    return () => Object.assign(snapshots.stateOf(newest), { length: newest.stateBytes });
  }

  /** Gives up a snapshot that is being taken, and takes no more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves once nothing is written or removed. */
  async idle(): Promise<void> {
    while (this.#busy !== null) await this.#busy;
  }

  #tidy(): void {
    const { log, snapshots } = this.#options.storage;
    this.#do(async () => log.release(await snapshots.prune()));
  }

  #do(work: () => Promise<void>): void {
    const before = this.#busy ?? Promise.resolve();
    const done: Promise<void> = before
      .then(work)
      .catch((error: unknown) => this.#options.onFailure(error))
      .finally(() => {
        if (this.#busy === done) this.#busy = null;
      });
    this.#busy = done;
  }
}

function isSame(a: SnapshotMark, b: SnapshotMark): boolean {
  return a.index === b.index && a.term === b.term;
}
