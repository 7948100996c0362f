import { assert } from '@pawl/kernel';
import type { Rng, Timer, TimerHandle } from '@pawl/kernel';
import { RaftCore } from '../core/index.js';
import type { Entry, HardState, Ready, SnapshotMark } from '../core/index.js';
import { ProposalRefusedError, ProposalUnknownError, Proposals } from './proposals.js';
import { openStorage } from './raft-storage.js';
import type { OpenStorage } from './raft-storage.js';
import type { Identity } from './wal-record.js';
import { NodeFailedError } from './storage-errors.js';
import type { StorageFolder } from './storage-folder.port.js';

/** What the log is for. Deterministic: the same commands in the same order give the same state. */
export interface StateMachine<Result> {
  /** Applies a committed command; a throw stops the node for good. */
  apply(command: Uint8Array, at: { readonly index: number; readonly term: number }): Result;
  /** The whole state at this moment, for {@link restore}. */
  snapshot(): Uint8Array;
  /** Replaces the state by one that `snapshot` gave. */
  restore(state: Uint8Array): void;
}

export interface RaftNodeOptions<Result> {
  readonly folder: StorageFolder;
  readonly nodeId: string;
  /** Null: the cluster that the folder belongs to, a new one if it is empty. */
  readonly clusterId: string | null;
  /** A random identifier. */
  readonly newId: () => string;
  readonly stateMachine: StateMachine<Result>;
  readonly timer: Timer;
  /** Spreads elections. */
  readonly rng: Rng;
  readonly settings?: Partial<RaftSettings>;
  /** Called once when the node stops by itself; nothing is acknowledged afterwards. */
  readonly onFailure?: (error: Error) => void;
}

export interface RaftSettings {
  readonly tickMs: number;
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
  readonly segmentBytes: number;
  /** Applied entries, or bytes of them, after which a snapshot is taken. */
  readonly snapshotEntries: number;
  readonly snapshotBytes: number;
  /** Callers that wait for their proposal; more are refused. */
  readonly maxProposals: number;
  readonly maxProposalBytes: number;
  readonly maxUncommittedBytes: number;
  /** Bytes of entries that one write takes. */
  readonly maxBatchBytes: number;
}

export const DEFAULT_RAFT_SETTINGS: RaftSettings = {
  tickMs: 100,
  heartbeatTicks: 2,
  electionTicks: 10,
  segmentBytes: 8 * 1024 * 1024,
  snapshotEntries: 10_000,
  snapshotBytes: 64 * 1024 * 1024,
  maxProposals: 16_384,
  maxProposalBytes: 4 * 1024 * 1024,
  maxUncommittedBytes: 64 * 1024 * 1024,
  maxBatchBytes: 8 * 1024 * 1024,
};

export interface RaftNodeStatus {
  readonly nodeId: string;
  readonly leader: string | null;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly snapshotIndex: number;
}

/**
 * Drives a {@link RaftCore} over a folder: writes what it hands out, one write and one sync for all
 * proposals that came in meanwhile, and applies what is committed. Any failure of the storage or of
 * the state machine stops the node for good; it is never retried.
 */
export class RaftNode<Result> {
  readonly identity: Identity;
  /** What recovery found and set right, one sentence each. */
  readonly notes: readonly string[];
  readonly #options: RaftNodeOptions<Result>;
  readonly #settings: RaftSettings;
  readonly #storage: OpenStorage;
  readonly #core: RaftCore;
  readonly #proposals: Proposals<Result>;
  #tick: TimerHandle | null = null;
  #running: Promise<void> | null = null;
  #state: 'open' | 'stopping' | 'stopped' | 'failed' = 'open';
  #failure: Error | null = null;
  /** A commit index that was not worth a write of its own. */
  #unwritten: HardState | null = null;
  #snapshotIndex: number;
  #appliedBytes = 0;
  #snapshotUnderWay: Promise<void> | null = null;
  #snapshotDone: SnapshotMark | null = null;

  private constructor(options: RaftNodeOptions<Result>, storage: OpenStorage) {
    this.#options = options;
    this.#settings = { ...DEFAULT_RAFT_SETTINGS, ...options.settings };
    this.#storage = storage;
    this.identity = storage.identity;
    this.notes = storage.notes;
    this.#snapshotIndex = storage.state.snapshot.index;
    this.#proposals = new Proposals(this.#settings.maxProposals);
    const { heartbeatTicks, electionTicks, maxUncommittedBytes, maxBatchBytes } = this.#settings;
    this.#core = new RaftCore(
      {
        id: options.nodeId,
        heartbeatTicks,
        electionTicks,
        maxUncommittedBytes,
        maxApplyBytes: maxBatchBytes,
        maxMessageBytes: maxBatchBytes,
        maxInflightMessages: 1,
        maxInflightBytes: maxBatchBytes,
        maxReads: this.#settings.maxProposals,
        catchUpEntries: 0,
        rng: options.rng,
      },
      storage.state,
    );
  }

  /**
   * Opens the folder, replays the log and, alone as it is, elects itself at once. Resolves when all
   * that was ever acknowledged is applied. Throws what {@link openStorage} throws.
   */
  static async open<Result>(options: RaftNodeOptions<Result>): Promise<RaftNode<Result>> {
    const { folder, nodeId, clusterId, newId } = options;
    const segmentBytes = options.settings?.segmentBytes ?? DEFAULT_RAFT_SETTINGS.segmentBytes;
    const storage = await openStorage({ folder, nodeId, clusterId, newId, segmentBytes });
    let node: RaftNode<Result>;
    try {
      if (storage.snapshotState !== null) options.stateMachine.restore(storage.snapshotState);
      node = new RaftNode(options, storage);
    } catch (error) {
      await storage.log.close();
      throw error;
    }
    await node.#begin();
    return node;
  }

  /**
   * Resolves with what applying the command gave, once it is durable and applied. Rejects with
   * {@link ProposalRefusedError} when it surely never will be, with {@link ProposalUnknownError} when
   * the node stopped before that was known. `command` must not be changed any more.
   */
  propose(command: Uint8Array): Promise<Result> {
    const refusal = this.#refusal(command);
    if (refusal !== null) return Promise.reject(refusal);
    const outcome = this.#core.propose(command);
    if (!outcome.ok) {
      const why = outcome.reason === 'not-leader' ? 'not-leader' : 'overloaded';
      return Promise.reject(new ProposalRefusedError(why));
    }
    const result = this.#proposals.wait(outcome.index, outcome.term);
    this.#wake();
    return result;
  }

  status(): RaftNodeStatus {
    const { leader, term, commit, applied } = this.#core.status;
    return {
      nodeId: this.#options.nodeId,
      leader: this.#state === 'open' ? leader : null,
      term,
      commitIndex: commit,
      appliedIndex: applied,
      snapshotIndex: this.#snapshotIndex,
    };
  }

  /** Whether proposals are taken. */
  get open(): boolean {
    return this.#state === 'open';
  }

  /** Takes no more proposals, finishes those under way and closes the files. */
  async stop(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'stopping';
      this.#tick?.cancel();
    }
    while (this.#running !== null || this.#snapshotUnderWay !== null) {
      await (this.#running ?? this.#snapshotUnderWay);
    }
    if (this.#state !== 'stopping') return;
    this.#state = 'stopped';
    try {
      await this.#writeRest();
    } finally {
      await this.#storage.log.close();
    }
  }

  async #begin(): Promise<void> {
    this.#core.campaign();
    this.#wake();
    await this.#running;
    if (this.#failure !== null) throw this.#failure;
    const { applied, last, role } = this.#core.status;
    assert(role === 'leader' && applied === last, 'a node alone leads and has applied its log');
    this.#scheduleTick();
  }

  #refusal(command: Uint8Array): Error | null {
    if (this.#state !== 'open') return new ProposalRefusedError('stopped');
    if (command.length > this.#settings.maxProposalBytes) {
      return new ProposalRefusedError('too-large');
    }
    return this.#proposals.full ? new ProposalRefusedError('overloaded') : null;
  }

  #scheduleTick(): void {
    this.#tick = this.#options.timer.after(this.#settings.tickMs, () => {
      if (this.#state !== 'open') return;
      this.#core.tick();
      this.#wake();
      this.#scheduleTick();
    });
  }

  /** Sees that the loop runs; all that is proposed before its first await shares one write. */
  #wake(): void {
    if (this.#running !== null || this.#state === 'failed') return;
    if (!this.#core.hasReady && this.#snapshotDone === null) return;
    this.#running = Promise.resolve()
      .then(() => this.#run())
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#running = null;
        this.#wake();
      });
  }

  async #run(): Promise<void> {
    while (this.#core.hasReady || this.#snapshotDone !== null) {
      if (this.#core.hasReady) await this.#work(this.#core.ready());
      if (this.#snapshotDone !== null) await this.#finishSnapshot(this.#snapshotDone);
      this.#considerSnapshot();
    }
  }

  async #work(ready: Ready): Promise<void> {
    for (const entry of ready.committedEntries) this.#apply(entry);
    this.#unwritten = ready.hardState ?? this.#unwritten;
    if (ready.mustSync) {
      const hardState = this.#unwritten;
      this.#unwritten = null;
      await this.#storage.log.append({ hardState, entries: ready.entries, snapshotMark: null });
    }
    this.#core.advance();
  }

  #apply(entry: Entry): void {
    if (entry.kind !== 'command') return;
    const { index, term, data } = entry;
    const result = this.#options.stateMachine.apply(data, { index, term });
    this.#appliedBytes += data.length;
    this.#proposals.resolve(index, term, result);
  }

  #considerSnapshot(): void {
    const { applied } = this.#core.status;
    const { snapshotEntries, snapshotBytes } = this.#settings;
    if (this.#snapshotUnderWay !== null || this.#state !== 'open') return;
    const entries = applied - this.#snapshotIndex;
    if (entries < snapshotEntries && this.#appliedBytes < snapshotBytes) return;
    const mark = this.#core.markAt(applied);
    const state = this.#options.stateMachine.snapshot();
    this.#appliedBytes = 0;
    this.#snapshotUnderWay = this.#storage.snapshots
      .write({ mark, identity: this.identity, state })
      .then(() => {
        this.#snapshotDone = mark;
      })
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#snapshotUnderWay = null;
        this.#wake();
      });
  }

  /** Notes a durable snapshot in the log and lets go of what it makes superfluous. */
  async #finishSnapshot(mark: SnapshotMark): Promise<void> {
    const { log, snapshots } = this.#storage;
    this.#snapshotDone = null;
    await log.append({ hardState: this.#unwritten, entries: [], snapshotMark: mark });
    this.#unwritten = null;
    this.#snapshotIndex = mark.index;
    this.#core.compact(mark.index);
    await log.release(await snapshots.prune());
  }

  async #writeRest(): Promise<void> {
    if (this.#unwritten === null) return;
    await this.#storage.log.append({
      hardState: this.#unwritten,
      entries: [],
      snapshotMark: null,
    });
  }

  #fail(cause: unknown): void {
    if (this.#state === 'failed') return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = `node ${this.#options.nodeId} stopped for good: ${reason}`;
    this.#failure = new NodeFailedError(what, { cause });
    this.#state = 'failed';
    this.#tick?.cancel();
    this.#proposals.rejectAll(new ProposalUnknownError(what, { cause }));
    void this.#storage.log.close().catch(() => undefined);
    this.#options.onFailure?.(this.#failure);
  }
}
