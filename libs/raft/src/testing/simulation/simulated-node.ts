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
  /** Whether the state machine takes its time: only {@link SimulatedNode.applySome} applies. */
  appliesSlowly(node: SimulatedNode): boolean;
}

/**
 * A node in a simulated world: a core, its disk and its state machine. The shell's work is done in
 * steps between which anything may happen: take a Ready, write it, finish it; note a snapshot. The
 * state machine applies what it was given beside all that, at once or some at a time.
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
  /** Handed out to be applied, oldest first. */
  #toApply: Entry[] = [];
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

  /** The state machine has something to do. */
  get applies(): boolean {
    return this.#toApply.length > 0;
  }

  /** Whether more waits for the state machine than the core may hand out at once. */
  get hasTooMuchToApply(): boolean {
    const bytes = this.#toApply.slice(0, -1).reduce((sum, { data }) => sum + data.length, 0);
    return bytes >= this.options.config.maxApplyBytes;
  }

  /** Whether the disk surely holds this entry, or a snapshot that covers it. */
  holds(index: number, term: number): boolean {
    return this.#disk.holds(index, term);
  }

  /** The newest in its log, also while it is down. */
  get newestConfiguration(): Configuration {
    return this.core?.status.configuration ?? this.durableConfiguration;
  }

  /** The newest that a crash at this moment surely leaves. */
  get durableConfiguration(): Configuration {
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
    this.#toApply = [];
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
      this.#give(this.#outstanding.committedEntries);
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

  /** Some of what waits for the state machine, or all of it. */
  applySome(): void {
    if (this.core === null) return;
    this.#apply(1 + this.options.rng.below(this.#toApply.length));
    this.flush();
  }

  /** Applies and answers what came since the outstanding work was taken, whether that is written or not. */
  #goAhead({ committedEntries, reads }: Pick<Ready, 'committedEntries' | 'reads'>): void {
    this.#give(committedEntries);
    if (this.#writes && reads.length > 0) this.options.host.wentAhead(this, 'read');
    this.#answer(reads);
  }

  get #writes(): boolean {
    return this.#outstanding !== null && !this.#written;
  }

  #give(entries: readonly Entry[]): void {
    this.#toApply.push(...entries);
    if (!this.options.host.appliesSlowly(this)) this.#apply(this.#toApply.length);
  }

  /** The first `count` of the entries that wait. */
  #apply(count: number): void {
    const entries = this.#toApply.splice(0, count);
    for (const entry of entries) {
      this.state.push(entry.kind === 'command' ? new TextDecoder().decode(entry.data) : '');
      this.options.host.applied(this, entry);
    }
    const last = entries.at(-1);
    if (last === undefined) return;
    this.core?.applied(last.index);
    if (this.#writes) this.options.host.wentAhead(this, 'applied');
  }

  #answer(reads: readonly ReadState[]): void {
    for (const { id, index } of reads) this.options.host.read(this, id, index);
  }

  #finish(ready: Ready): void {
    const { host } = this.options;
    if (ready.snapshot !== null) {
      this.#apply(this.#toApply.length);
      this.state = [...this.#disk.snapshotState];
      host.installed(this);
    }
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
