import type { Rng } from '@pawl/kernel';
import { decodeConfiguration, foundingState } from '../../core/index.js';
import type {
  Configuration,
  DurableState,
  Entry,
  Message,
  RaftConfig,
  RaftCore,
  ReadState,
  Ready,
  SnapshotMark,
} from '../../core/index.js';
import { SimulatedDisk } from './simulated-disk.js';
import type { State, WriteLeft } from './simulated-disk.js';

export type MakeCore = (config: RaftConfig, state: DurableState) => RaftCore;

export interface NodeHost {
  send(node: SimulatedNode, message: Message, state: State | null): void;
  /** The disk took all of a Ready, when the log had ended at `last`. */
  written(node: SimulatedNode, last: SnapshotMark): void;
  applied(node: SimulatedNode, entry: Entry): void;
  /** A snapshot took the place of the state. */
  installed(node: SimulatedNode): void;
  /** The node took an input, or was started or stopped. */
  changed(node: SimulatedNode): void;
  read(node: SimulatedNode, id: number, index: number): void;
  /** Something was applied, or a read answered, and its write is not done. */
  wentAhead(node: SimulatedNode, what: 'applied' | 'read'): void;
}

/**
 * A node in a simulated world: a core, its disk and its state machine. The shell's work is done in
 * steps between which anything may happen: take a Ready, write it, finish it; note a snapshot.
 */
export class SimulatedNode {
  core: RaftCore | null = null;
  state: string[] = [];
  /** Recovery refuses its disk: it does not start again before it was replaced. */
  broken = false;
  /** How often its id began again with an empty folder. */
  replacements = 0;
  #disk: SimulatedDisk;
  #outstanding: Ready | null = null;
  /** Where the log ended when the outstanding work was taken. */
  #taken: SnapshotMark | null = null;
  #written = false;
  /** The entries of the outstanding work are applied. */
  #applied = false;
  /** A snapshot that is being written beside everything else. */
  #snapshot: { readonly mark: SnapshotMark; readonly state: State } | null = null;
  /** It is being noted in the log; meanwhile no work is taken. */
  #noting = false;
  readonly #arriving = new Map<string, State>();

  constructor(
    readonly id: string,
    founding: DurableState,
    private readonly options: {
      readonly makeCore: MakeCore;
      readonly config: Omit<RaftConfig, 'id' | 'rng'>;
      readonly rng: Rng;
      readonly host: NodeHost;
    },
  ) {
    this.#disk = new SimulatedDisk(founding);
    this.start();
  }

  get up(): boolean {
    return this.core !== null;
  }

  /** The disk has something to do. */
  get busy(): boolean {
    return this.#outstanding !== null || this.#noting;
  }

  /** What a crash at this moment surely leaves. */
  get durable(): DurableState {
    return this.#disk.durable;
  }

  /** More may be applied than its core knows: the work at hand is not reported. */
  get mayBeAhead(): boolean {
    return this.#outstanding !== null;
  }

  /** Whether the disk surely holds this entry, or a snapshot that covers it. */
  holds(index: number, term: number): boolean {
    return this.#disk.holds(index, term);
  }

  /** The newest in its log, also while it is down. */
  get newestConfiguration(): Configuration {
    if (this.core !== null) return this.core.status.configuration;
    const { snapshot, entries } = this.durable;
    const newest = entries.findLast(({ kind }) => kind === 'configuration');
    return newest === undefined ? snapshot.configuration : decodeConfiguration(newest.data);
  }

  start(): void {
    const { config, rng, makeCore } = this.options;
    const durable = this.#disk.recover();
    if (durable === null) throw new Error(`${this.id} starts on a damaged disk`);
    this.core = makeCore({ ...config, id: this.id, rng }, durable);
    this.state = [...this.#disk.snapshotState];
  }

  /** Loses what is in memory; answers what became of the write that was under way, if one was. */
  crash(): 'nothing' | WriteLeft {
    const ready = this.#written ? null : this.#outstanding;
    const left =
      ready === null
        ? 'nothing'
        : this.#disk.interrupt(ready, this.#stateOf(ready), this.options.rng);
    if (left === 'kept') this.#noteWritten();
    this.core = null;
    this.#outstanding = null;
    this.#snapshot = null;
    this.#noting = false;
    this.#arriving.clear();
    this.options.host.changed(this);
    return left;
  }

  /** A bit of what its disk holds flips while the node is down; it may have been one that nobody needs. */
  damage(): void {
    this.#disk.flipBit(this.options.rng);
    this.broken = this.#disk.recover() === null;
  }

  /** The same id with an empty folder: it knows of no cluster. */
  replace(): void {
    this.replacements += 1;
    this.#disk = new SimulatedDisk(foundingState([]));
    this.broken = false;
    this.start();
  }

  /** A message arrives, with the state that a snapshot message travels with. */
  receive(message: Message, state: State | null): void {
    if (this.core === null) return;
    if (message.type === 'snapshot' && state !== null) {
      this.#arriving.set(keyOf(message.snapshot), state);
    }
    this.core.step(message);
    this.flush();
  }

  /** Sends what may be sent at once, and may do what need not wait for a write. */
  flush(): void {
    for (const message of this.core?.messages() ?? []) this.#send(message);
    this.options.host.changed(this);
    if (this.core === null || this.options.rng.below(4) > 0) return;
    this.#goAhead(this.core.further());
    this.options.host.changed(this);
  }

  /** One step of the loop: take work, write it, or finish it. */
  work(): void {
    if (this.core === null) return;
    if (this.#noting) this.#noteSnapshot();
    else if (this.#outstanding === null) {
      this.#noting = this.#snapshot !== null && this.options.rng.below(3) === 0;
      if (this.#noting || !this.core.hasReady) return;
      this.#outstanding = this.core.ready();
      this.#taken = this.core.markAt(this.core.status.last);
      this.#written = false;
      this.#applied = false;
    } else if (!this.#written) {
      this.#disk.write(this.#outstanding, this.#stateOf(this.#outstanding));
      this.#noteWritten();
      this.#written = true;
    } else {
      this.#finish(this.#outstanding);
    }
    this.flush();
  }

  /** Begins a snapshot of all that is applied, to forget the log behind it. */
  compact(): void {
    if (this.core === null || this.#snapshot !== null) return;
    const { applied } = this.core.status;
    if (applied <= this.durable.snapshot.index) return;
    this.#snapshot = { mark: this.core.markAt(applied), state: this.state.slice(0, applied) };
  }

  /** A newer one may have come from a leader meanwhile. */
  #noteSnapshot(): void {
    const snapshot = this.#snapshot;
    this.#snapshot = null;
    this.#noting = false;
    if (snapshot === null || this.core === null) return;
    const { mark, state } = snapshot;
    if (mark.index > this.durable.snapshot.index) this.#disk.compact(mark, state);
    this.core.compact(mark.index);
  }

  #noteWritten(): void {
    if (this.#taken !== null) this.options.host.written(this, this.#taken);
  }

  #stateOf({ snapshot }: Ready): State | undefined {
    return snapshot === null ? undefined : this.#arriving.get(keyOf(snapshot));
  }

  /** Applies and answers what came since the outstanding work was taken, whether that is written or not. */
  #goAhead({ committedEntries, reads }: Pick<Ready, 'committedEntries' | 'reads'>): void {
    const ready = this.#outstanding;
    if (ready !== null && !this.#applied) {
      this.#applied = ready.snapshot === null;
      this.#apply(ready.committedEntries);
    }
    this.#apply(committedEntries);
    if (ready !== null && !this.#written) {
      if (committedEntries.length > 0) this.options.host.wentAhead(this, 'applied');
      if (reads.length > 0) this.options.host.wentAhead(this, 'read');
    }
    this.#answer(reads);
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.state.push(entry.kind === 'command' ? new TextDecoder().decode(entry.data) : '');
      this.options.host.applied(this, entry);
    }
  }

  #answer(reads: readonly ReadState[]): void {
    for (const { id, index } of reads) this.options.host.read(this, id, index);
  }

  #finish(ready: Ready): void {
    const { host } = this.options;
    if (ready.snapshot !== null) {
      this.state = [...this.#disk.snapshotState];
      host.installed(this);
    }
    if (!this.#applied) this.#apply(ready.committedEntries);
    this.#outstanding = null;
    this.core?.advance();
    for (const message of ready.messages) this.#send(message);
    this.#answer(ready.reads);
  }

  #send(message: Message): void {
    const { host } = this.options;
    host.send(this, message, message.type === 'snapshot' ? this.#disk.snapshotState : null);
  }
}

function keyOf({ index, term }: SnapshotMark): string {
  return `${index}/${term}`;
}
