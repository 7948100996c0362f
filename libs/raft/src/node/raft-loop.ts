import { RaftCore } from '../core/index.js';
import type { HardState, Message, Ready, SnapshotMark, SnapshotMessage } from '../core/index.js';
import { Applier } from './applier.js';
import { Barriers } from './barriers.js';
import { NodeFailedError } from './node-errors.js';
import type { RaftNodeOptions } from './raft-node-options.js';
import { coreConfig, ticksOf } from './raft-settings.js';
import type { RaftSettings } from './raft-settings.js';
import type { OpenStorage } from './raft-storage.js';
import { SnapshotKeeper } from './snapshot-keeper.js';
import { EMPTY_BATCH } from './write-ahead-log.js';

export interface RaftLoopEvents {
  /** A message that may be sent now. */
  send(message: Message): void;
  /** Something may have changed. */
  changed(): void;
  /** Once: nothing is written, applied or sent any more. */
  failed(error: NodeFailedError): void;
}

/**
 * Does what a {@link RaftCore} wants done: one write and one sync for all that came in meanwhile.
 * While that is under way, however long, it takes ticks and messages, sends what may be sent at once,
 * applies what is committed and answers reads. What there is to apply is applied beside all that, a
 * few milliseconds in a turn, and delays neither writes nor messages. A failure of the storage or of the state machine ends it for good;
 * nothing is retried.
 */
export class RaftLoop {
  readonly core: RaftCore;
  readonly barriers: Barriers;
  readonly snapshots: SnapshotKeeper;
  readonly #applier: Applier;
  /** What is applied now is told when that is done. */
  #doing = false;
  readonly #options: RaftNodeOptions;
  readonly #storage: OpenStorage;
  readonly #events: RaftLoopEvents;
  #turnIsComing = false;
  #running: Promise<void> | null = null;
  #failure: NodeFailedError | null = null;
  #closed = false;
  /** A commit index, and a snapshot, that were not worth a write of their own. */
  #unwritten: HardState | null = null;
  #unnoted: SnapshotMark | null = null;

  constructor(
    options: RaftNodeOptions,
    settings: RaftSettings,
    storage: OpenStorage,
    events: RaftLoopEvents,
  ) {
    this.#options = options;
    this.#storage = storage;
    this.#events = events;
    const { nodeId: id, rng, clock, timer, machine } = options;
    this.core = new RaftCore({ ...coreConfig(settings), id, rng }, storage.state);
    this.barriers = new Barriers({
      timer,
      rng,
      read: (read) => this.core.read(read),
      lostAfterTicks: ticksOf(settings).electionTicks,
      limit: settings.maxWaiting,
    });
    this.#applier = new Applier({
      machine,
      clock,
      applied: storage.state.snapshot.index,
      onApplied: (index) => {
        this.core.applied(index);
        this.barriers.applied(index);
        if (!this.#doing) this.wake();
      },
      onFailure: (error) => this.#fail(error),
    });
    this.snapshots = new SnapshotKeeper({
      storage,
      machine,
      settings,
      onTaken: () => this.wake(),
      onFailure: (error) => this.#fail(error),
    });
  }

  /** The last entry that the state machine was given. */
  get applied(): number {
    return this.#applier.applied;
  }

  get failure(): NodeFailedError | null {
    return this.#failure;
  }

  /** Sees that there is a turn soon; all that comes in before it shares messages and a write. */
  wake(): void {
    if (this.#turnIsComing || this.#over) return;
    this.#turnIsComing = true;
    setImmediate(() => {
      this.#turnIsComing = false;
      this.turn();
    });
  }

  /** Sends what there is to say, and begins to work unless that is going on. */
  turn(): void {
    if (this.#over) return;
    this.barriers.ask();
    this.#send(this.core.messages());
    const further = this.core.further();
    this.#do(further);
    /* There may be more, for which there was no room. */
    if (further.committedEntries.length > 0) this.wake();
    this.#events.changed();
    if (this.#running !== null || !(this.#hasWork || this.#isSnapshotDue)) return;
    this.#running = this.#run()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#running = null;
        if (this.#hasWork) this.wake();
      });
  }

  tick(): void {
    if (this.#over) return;
    this.core.tick();
    this.barriers.tick();
    this.wake();
  }

  /** Takes a message; false when nobody in his right mind would send it. */
  step(message: Message): boolean {
    if (this.#over) return true;
    const isSound = this.core.step(message);
    this.wake();
    return isSound;
  }

  /** Takes a snapshot message with its state. */
  receive(message: SnapshotMessage, state: Uint8Array): boolean {
    const { snapshot: mark } = message;
    const { commit } = this.core.status;
    const isNews = mark.index > commit && !this.core.holds(mark.index, mark.term);
    const isSound = this.step(message);
    const isTaken = isNews && this.core.status.commit === mark.index;
    if (isTaken) this.snapshots.arrived(mark, state);
    return isSound;
  }

  /** Resolves once nothing is left to do: no write, nothing to apply. */
  async idle(): Promise<void> {
    for (;;) {
      if (this.#running !== null) await this.#running;
      else if (this.#applier.busy) await this.#applier.idle();
      else if (this.#hasWork) this.turn();
      else return;
    }
  }

  /** Finishes what is under way and closes the files. */
  async close(): Promise<void> {
    this.snapshots.stop();
    this.turn();
    await this.idle();
    this.#closed = true;
    await this.snapshots.idle();
    if (this.#failure !== null) return;
    try {
      if (this.#unwritten !== null) await this.#write(EMPTY_BATCH, null);
    } catch (error) {
      await this.#storage.log.close();
      throw error;
    }
    await this.#storage.log.finish();
  }

  get #over(): boolean {
    return this.#closed || this.#failure !== null;
  }

  get #hasWork(): boolean {
    return !this.#over && (this.core.hasReady || this.snapshots.hasNew);
  }

  get #isSnapshotDue(): boolean {
    return this.snapshots.isDue(this.#applier.applied, this.#applier.bytes);
  }

  /** Until nothing is left to write; what is only to be applied gets a turn of its own each time. */
  async #run(): Promise<void> {
    let wrote: boolean;
    do {
      this.#send(this.core.messages());
      wrote = this.core.hasReady && (await this.#work(this.core.ready()));
      if (this.#over) return;
      this.#compact();
      this.barriers.ask();
      this.#send(this.core.messages());
      this.#events.changed();
    } while (wrote && this.#hasWork);
  }

  /** Answers whether there was something to write. */
  async #work(ready: Ready): Promise<boolean> {
    this.#unwritten = ready.hardState ?? this.#unwritten;
    if (ready.snapshot === null) await this.#writeAndApply(ready);
    else await this.#install(ready, ready.snapshot);
    if (this.#over) return false;
    this.#send(ready.messages);
    this.core.advance();
    return ready.mustSync;
  }

  async #writeAndApply(ready: Ready): Promise<void> {
    const writing = ready.mustSync ? this.#write(ready, null) : null;
    /* Its failure is seen below, or else comes after one of the state machine. */
    writing?.catch(() => undefined);
    this.#do(ready);
    if (writing !== null) await writing;
  }

  async #install(ready: Ready, mark: SnapshotMark): Promise<void> {
    await this.#applier.idle();
    if (this.#over) return;
    await this.snapshots.install(mark, () => this.#write(ready, mark));
    this.#applier.restored(mark.index);
    this.barriers.applied(mark.index);
    this.#do(ready);
  }

  /** What needs no write. */
  #do({ committedEntries, reads }: Pick<Ready, 'committedEntries' | 'reads'>): void {
    for (const { id, index } of reads) this.barriers.confirmed(id, index);
    this.#doing = true;
    this.#applier.push(committedEntries);
    this.#doing = false;
    if (reads.length > 0) this.barriers.applied(this.#applier.applied);
  }

  #write({ entries }: Pick<Ready, 'entries'>, installed: SnapshotMark | null): Promise<void> {
    const hardState = this.#unwritten;
    const noted = installed === null ? this.#unnoted : null;
    this.#unwritten = null;
    this.#unnoted = null;
    return this.#storage.log.append({ hardState, entries, noted, installed });
  }

  /** Forgets the log behind a snapshot that was taken, and takes the next when it is due. */
  #compact(): void {
    const mark = this.snapshots.takeNew();
    if (mark !== null) {
      this.core.compact(mark.index);
      this.#unnoted = mark;
    }
    if (!this.#isSnapshotDue) return;
    const { applied } = this.#applier;
    if (this.snapshots.take(this.core.markAt(applied))) this.#applier.countAnew();
  }

  #send(messages: readonly Message[]): void {
    for (const message of messages) this.#events.send(message);
  }

  #fail(cause: unknown): void {
    if (this.#over) return;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = `node ${this.#options.nodeId} stopped for good: ${reason}`;
    this.#failure = new NodeFailedError(what, { cause });
    this.snapshots.stop();
    this.#applier.stop();
    this.barriers.rejectAll(this.#failure);
    void this.#storage.log.close().catch(() => undefined);
    this.#events.failed(this.#failure);
  }
}
