import type { WatchHandle } from '../../coordination.port.js';
import type { RevisionEvents } from '../../state/index.js';
import type { HistoryRange, WatchMessage, WatchRecord } from '../history/index.js';
import { toKv, toRange } from './history-forms.js';
import type { QuorumProcess } from '../simulated-quorum.js';
import type { World } from './world.js';

const LOOK_MS = 200;

interface OpenWatch {
  readonly process: QuorumProcess;
  readonly handle: WatchHandle;
  readonly record: WatchRecord & { messages: WatchMessage[] };
}

/**
 * Watches a range through one node after another: goes on behind what it was told last when its
 * node is gone, begins anew when what comes next was compacted away, and is too slow at times.
 */
export class WorldWatcher {
  readonly records: WatchRecord[] = [];
  #open: OpenWatch | null = null;
  /** Behind what was told last; null to begin with what comes next. */
  #resume: number | null = null;
  /** Since it was told everything it took all: how many snapshots its node had taken over then. */
  #keptUpSince: number | null = null;

  constructor(
    private readonly world: World,
    private readonly name: string,
    private readonly range: HistoryRange,
  ) {}

  start(): void {
    this.world.later(LOOK_MS * this.world.rng.next(), () => this.#look());
  }

  /** Everything up to this revision must have been told by now. */
  finish(revision: number): void {
    if (this.#open === null) return;
    this.records.push({ ...this.#open.record, upTo: revision });
    this.#open.handle.close();
    this.#open = null;
  }

  /** Whether it was told of everything up to this revision. */
  isAt(revision: number): boolean {
    return this.#open !== null && this.#open.handle.next > revision;
  }

  #look(): void {
    const { world } = this;
    const open = this.#open;
    if (open !== null && !world.isRunning(open.process)) this.#leave('watch lost its node');
    if (open !== null && !world.isOver && world.rng.below(40) === 0) this.#leave('watch left');
    if (this.#open === null) this.#begin();
    else if (world.rng.below(5) === 0) this.#note(this.#open);
    this.start();
  }

  /** What the handle says is told, is told: a progress mark. */
  #note(open: OpenWatch): void {
    const { handle, record, process } = open;
    process.time.run(() => {
      // A process that stood still comes to it when the watch is on another one already.
      if (this.#open !== open) return;
      record.messages.push({ kind: 'progress', revision: handle.next - 1 });
      if (handle.next <= process.node.head().revision) return;
      this.#keptUpSince = this.world.applied.restores(process.id);
      this.world.reached('watch kept up');
    });
  }

  #leave(why: string): void {
    const open = this.#open;
    if (open === null) return;
    this.world.reached(why);
    this.records.push(open.record);
    if (this.world.isRunning(open.process)) open.handle.close();
    this.#open = null;
  }

  #begin(): void {
    const process = this.world.pickProcess();
    if (process === null || this.#open !== null) return;
    process.time.run(() => {
      if (this.#open === null && this.world.isRunning(process)) this.#observe(process);
    });
  }

  #observe(process: QuorumProcess): void {
    const { world, range } = this;
    const { rng } = world;
    const early = Math.max(1, process.node.head().revision - rng.below(20));
    const from = this.#resume ?? (rng.below(3) === 0 ? early : 0);
    const isResumed = this.#resume !== null;
    if (isResumed) world.reached('watch resumed');
    const messages: WatchMessage[] = [];
    this.#keptUpSince = null;
    let current: OpenWatch | null = null;
    const ended = (message: WatchMessage | null): void => {
      if (current === null || this.#open !== current) return;
      if (message !== null) {
        messages.push(message);
        world.reached('watch compacted');
        this.#resume = null;
      }
      this.records.push(current.record);
      this.#open = null;
    };
    const handle = process.node.observe(
      { ...toRange(range), fromRevision: from },
      {
        events: (changes) => this.#take(process, messages, changes, () => handle.resume()),
        compacted: (compactRevision) => {
          /* A snapshot may leave out what a watch that kept up was to be told. */
          const keptUp = this.#keptUpSince === world.applied.restores(process.id);
          ended({ kind: 'compacted', compactRevision, keptUp });
        },
        failed: () => ended(null),
      },
    );
    const start = from === 0 ? handle.next : from;
    const name = `${this.name}@${process.id}`;
    const record = { name, range, from: start, isResumed, prevKv: true, messages };
    current = { process, handle, record };
    this.#open = current;
  }

  #take(
    process: QuorumProcess,
    messages: WatchMessage[],
    { revision, events }: RevisionEvents,
    resume: () => void,
  ): boolean {
    const { rng } = this.world;
    if (rng.below(6) === 0) {
      this.world.reached('watch too slow');
      this.#keptUpSince = null;
      process.time.after(rng.next() * 400, resume);
      return false;
    }
    const told = events.map(({ kind, kv, previous }) => ({
      kind,
      kv: toKv(kv),
      previous: previous === null ? null : toKv(previous),
    }));
    messages.push({ kind: 'events', events: told });
    this.#resume = revision + 1;
    return true;
  }
}
