import { assert } from '@pawl/kernel';
import type { TimerHandle } from '@pawl/kernel';
import { isOnlyVoter, RaftCore } from '../core/index.js';
import type { ConfigurationChange, Entry, HardState, Ready, SnapshotMark } from '../core/index.js';
import { Barriers } from './barriers.js';
import { NodeFailedError, NodeStoppedError } from './node-errors.js';
import type { LogOutcome, LogRefusal, LogStatus, RaftNodeOptions } from './raft-node-options.js';
import { coreConfig, DEFAULT_RAFT_SETTINGS, ticksOf } from './raft-settings.js';
import type { RaftSettings } from './raft-settings.js';
import { openStorage } from './raft-storage.js';
import type { OpenStorage } from './raft-storage.js';
import type { Identity } from './wal-record.js';

/** Commands are applied for so long at most before the event loop gets its turn. */
const APPLY_MS = 5;

/**
 * Drives a {@link RaftCore} over a folder: writes what it hands out, one write and one sync for all
 * that came in meanwhile, and applies what is committed. Any failure of the storage or of the state
 * machine stops the node for good; it is never retried.
 */
export class RaftNode {
  readonly identity: Identity;
  /** What recovery found and set right, one sentence each. */
  readonly notes: readonly string[];
  readonly #options: RaftNodeOptions;
  readonly #settings: RaftSettings;
  readonly #storage: OpenStorage;
  readonly #core: RaftCore;
  readonly #barriers: Barriers;
  #tick: TimerHandle | null = null;
  #turnIsComing = false;
  #running: Promise<void> | null = null;
  #state: 'opening' | 'open' | 'stopping' | 'stopped' | 'failed' = 'opening';
  #failure: Error | null = null;
  #told: LogStatus;
  /** A commit index that was not worth a write of its own. */
  #unwritten: HardState | null = null;
  /** Given to the state machine. */
  #applied: number;
  #appliedBytes = 0;
  #snapshotIndex: number;
  #snapshotUnderWay: Promise<void> | null = null;
  #snapshotDone: SnapshotMark | null = null;

  private constructor(options: RaftNodeOptions, settings: RaftSettings, storage: OpenStorage) {
    this.#options = options;
    this.#settings = settings;
    this.#storage = storage;
    this.identity = storage.identity;
    this.notes = storage.notes;
    this.#snapshotIndex = storage.state.snapshot.index;
    this.#applied = storage.state.snapshot.index;
    const { nodeId: id, rng, timer } = options;
    this.#core = new RaftCore({ ...coreConfig(settings), id, rng }, storage.state);
    this.#barriers = new Barriers({
      timer,
      rng,
      read: (read) => this.#core.read(read),
      lostAfterTicks: ticksOf(settings).electionTicks,
      limit: settings.maxWaiting,
    });
    this.#told = this.status();
  }

  /**
   * Opens the folder and replays the log. A node that votes alone elects itself at once; then all
   * that was ever acknowledged is applied when this resolves. Throws what {@link openStorage} throws.
   */
  static async open(options: RaftNodeOptions): Promise<RaftNode> {
    const settings = { ...DEFAULT_RAFT_SETTINGS, ...options.settings };
    const { folder, nodeId, clusterId, founders, newId } = options;
    const { segmentBytes } = settings;
    const storage = await openStorage({
      folder,
      nodeId,
      clusterId,
      founders,
      newId,
      segmentBytes,
    });
    let node: RaftNode;
    try {
      if (storage.snapshotState !== null) options.machine.restore(storage.snapshotState);
      node = new RaftNode(options, settings, storage);
    } catch (error) {
      await storage.log.close();
      throw error;
    }
    await node.#begin();
    return node;
  }

  status(): LogStatus {
    const { role, leader, term, commit, last, configuration } = this.#core.status;
    return {
      nodeId: this.#options.nodeId,
      role,
      leader: this.#takesProposals ? leader : null,
      term,
      commitIndex: commit,
      appliedIndex: this.#applied,
      lastIndex: last,
      snapshotIndex: this.#snapshotIndex,
      configuration,
    };
  }

  /**
   * Appends a command to the log, on the leader only. What is taken is applied, here as everywhere,
   * unless it is lost with the leadership: then another command is applied at its index, or one of a
   * later term. `command` must not be changed any more.
   */
  propose(command: Uint8Array): LogOutcome {
    const refusal = this.#refusal(command);
    if (refusal !== null) return { ok: false, reason: refusal };
    return this.#taken(this.#core.propose(command));
  }

  /** Begins a change of the membership; it ends by itself. */
  change(change: ConfigurationChange): LogOutcome {
    if (!this.#takesProposals) return { ok: false, reason: 'stopped' };
    return this.#taken(this.#core.change(change));
  }

  /** Begins to hand leadership over; false when this node does not lead or the other cannot. */
  transfer(to: string): boolean {
    if (!this.#takesProposals || !this.#core.transfer(to)) return false;
    this.#wake();
    return true;
  }

  /**
   * Resolves once all that was committed anywhere before this call is applied here (ReadIndex: a
   * quorum has confirmed the leader meanwhile). Rejects `deadlineMs` from now, and when the node
   * stops.
   */
  barrier(deadlineMs: number): Promise<void> {
    if (!this.#takesProposals) return Promise.reject(this.#whyStopped());
    const reached = this.#barriers.wait(deadlineMs);
    this.#wake();
    return reached;
  }

  /** Leader only: how far each other member holds the log, and whether it was heard of lately. */
  progress(): ReadonlyMap<string, { readonly match: number; readonly active: boolean }> {
    return this.#core.leading?.progress ?? new Map();
  }

  /** Takes nothing more, finishes what is under way and closes the files. */
  async stop(): Promise<void> {
    if (this.#takesProposals) {
      this.#state = 'stopping';
      this.#tick?.cancel();
      this.#barriers.rejectAll(this.#whyStopped());
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
    const { configuration, last } = this.#core.status;
    if (isOnlyVoter(configuration, this.#options.nodeId)) {
      this.#core.campaign();
      this.#turn();
      await this.#running;
      if (this.#failure !== null) throw this.#failure;
      assert(this.#applied > last, 'a node that votes alone leads and has applied its log');
    }
    this.#told = this.status();
    this.#state = 'open';
    this.#scheduleTick();
  }

  get #takesProposals(): boolean {
    return this.#state === 'open';
  }

  #refusal(command: Uint8Array): LogRefusal | null {
    if (!this.#takesProposals) return 'stopped';
    if (command.length > this.#settings.maxProposalBytes) return 'too-large';
    const waiting = this.#core.status.last - this.#applied;
    return waiting >= this.#settings.maxWaiting ? 'overloaded' : null;
  }

  #taken(outcome: LogOutcome): LogOutcome {
    if (outcome.ok) this.#wake();
    return outcome;
  }

  #scheduleTick(): void {
    this.#tick = this.#options.timer.after(ticksOf(this.#settings).tickMs, () => {
      if (this.#state !== 'open') return;
      this.#core.tick();
      this.#barriers.tick();
      this.#wake();
      this.#scheduleTick();
    });
  }

  /** Sees that there is a turn soon; all that comes in before it shares messages and a write. */
  #wake(): void {
    if (this.#turnIsComing) return;
    this.#turnIsComing = true;
    setImmediate(() => {
      this.#turnIsComing = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#state === 'failed' || this.#state === 'stopped') return;
    this.#barriers.ask();
    this.#tell();
    if (this.#running !== null || !this.#hasWork) return;
    this.#running = this.#run()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#running = null;
        if (this.#hasWork) this.#wake();
      });
  }

  get #hasWork(): boolean {
    return this.#core.hasReady || this.#snapshotDone !== null;
  }

  async #run(): Promise<void> {
    while (this.#hasWork) {
      if (this.#core.hasReady) await this.#work(this.#core.ready());
      if (this.#snapshotDone !== null) await this.#finishSnapshot(this.#snapshotDone);
      this.#considerSnapshot();
      this.#barriers.ask();
      this.#tell();
    }
  }

  async #work(ready: Ready): Promise<void> {
    this.#unwritten = ready.hardState ?? this.#unwritten;
    let writing: Promise<void> | null = null;
    if (ready.mustSync) {
      const hardState = this.#unwritten;
      this.#unwritten = null;
      writing = this.#storage.log.append({ hardState, entries: ready.entries, snapshotMark: null });
      /* Its failure is seen below, or else after a failure of the state machine. */
      writing.catch(() => undefined);
    }
    await this.#applyAll(ready.committedEntries);
    for (const { id, index } of ready.reads) this.#barriers.confirmed(id, index);
    this.#barriers.applied(this.#applied);
    if (writing !== null) await writing;
    this.#core.advance();
  }

  async #applyAll(entries: readonly Entry[]): Promise<void> {
    let since = performance.now();
    for (const entry of entries) {
      this.#apply(entry);
      if (performance.now() - since < APPLY_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
    }
  }

  #apply({ kind, index, term, data }: Entry): void {
    if (kind === 'command') this.#options.machine.apply(data, { index, term });
    this.#applied = index;
    this.#appliedBytes += data.length;
  }

  #considerSnapshot(): void {
    const { snapshotEntries, snapshotBytes } = this.#settings;
    if (this.#snapshotUnderWay !== null || this.#state !== 'open') return;
    const entries = this.#applied - this.#snapshotIndex;
    if (entries < snapshotEntries && this.#appliedBytes < snapshotBytes) return;
    const mark = this.#core.markAt(this.#applied);
    const state = this.#options.machine.snapshot();
    const { identity } = this;
    this.#appliedBytes = 0;
    this.#snapshotUnderWay = this.#storage.snapshots
      .write({ mark, identity, state, abandoned: () => this.#state === 'failed' })
      .then((whole) => {
        if (whole) this.#snapshotDone = mark;
      })
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#snapshotUnderWay = null;
        state.return?.();
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
    const hardState = this.#unwritten;
    await this.#storage.log.append({ hardState, entries: [], snapshotMark: null });
  }

  /** Says what changed, once the node is open and until it stops. */
  #tell(): void {
    if (this.#state !== 'open') return;
    const [before, now] = [this.#told, this.status()];
    const led = before.leader === now.leader && before.term === now.term;
    if (!led) this.#barriers.leaderChanged();
    const same =
      led &&
      before.role === now.role &&
      before.appliedIndex === now.appliedIndex &&
      before.configuration === now.configuration;
    if (same) return;
    this.#told = now;
    this.#options.events.onStatus(now);
  }

  #whyStopped(): Error {
    if (this.#failure !== null) return this.#failure;
    return new NodeStoppedError(`node ${this.#options.nodeId} is stopped`);
  }

  #fail(cause: unknown): void {
    if (this.#state === 'failed') return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = `node ${this.#options.nodeId} stopped for good: ${reason}`;
    this.#failure = new NodeFailedError(what, { cause });
    const wasOpen = this.#state !== 'opening';
    this.#state = 'failed';
    this.#tick?.cancel();
    this.#barriers.rejectAll(this.#failure);
    void this.#storage.log.close().catch(() => undefined);
    if (wasOpen) this.#options.events.onFailure(this.#failure);
  }
}
