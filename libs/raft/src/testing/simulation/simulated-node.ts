import type { Rng } from '@pawl/kernel';
import type {
  DurableState,
  Entry,
  Message,
  RaftConfig,
  RaftCore,
  Ready,
  SnapshotMark,
} from '../../core/index.js';

export type MakeCore = (config: RaftConfig, state: DurableState) => RaftCore;

/** A state machine's state: what was applied, one text per entry, `''` for what is not a command. */
export type State = readonly string[];

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
}

interface Disk {
  readonly durable: DurableState;
  readonly snapshotState: State;
}

/**
 * A node in a simulated world: a core, its disk and its state machine. The disk takes each
 * {@link Ready} whole or not at all, as the write-ahead log's frames do; what was not synced may or
 * may not have reached it when the node crashes.
 */
export class SimulatedNode {
  core: RaftCore | null = null;
  state: string[] = [];
  #disk: Disk;
  #outstanding: Ready | null = null;
  /** Where the log ended when the outstanding work was taken. */
  #taken: SnapshotMark | null = null;
  #written = false;
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
    this.#disk = { durable: founding, snapshotState: [] };
    this.start();
  }

  get up(): boolean {
    return this.core !== null;
  }

  get busy(): boolean {
    return this.#outstanding !== null;
  }

  /** What a crash at this moment surely leaves. */
  get durable(): DurableState {
    return this.#disk.durable;
  }

  /** Whether the disk surely holds this entry, or a snapshot that covers it. */
  holds(index: number, term: number): boolean {
    const { snapshot, entries } = this.#disk.durable;
    if (index <= snapshot.index) return true;
    return entries[index - snapshot.index - 1]?.term === term;
  }

  start(): void {
    const { durable, snapshotState } = this.#disk;
    const { config, rng, makeCore } = this.options;
    this.core = makeCore({ ...config, id: this.id, rng }, durable);
    this.state = [...snapshotState];
  }

  /** Loses what is in memory; answers what became of the write that was under way, if one was. */
  crash(): 'nothing' | 'kept' | 'lost' {
    const writing = this.#outstanding !== null && !this.#written;
    const kept = writing && this.options.rng.next() < 0.5;
    if (kept) this.#write(this.#outstanding as Ready);
    this.core = null;
    this.#outstanding = null;
    this.#arriving.clear();
    this.options.host.changed(this);
    return kept ? 'kept' : writing ? 'lost' : 'nothing';
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

  /** Sends what may be sent at once. */
  flush(): void {
    for (const message of this.core?.messages() ?? []) this.#send(message);
    this.options.host.changed(this);
  }

  /** One step of the loop: take work, write it, or finish it. */
  work(): void {
    if (this.core === null) return;
    if (this.#outstanding === null) {
      if (!this.core.hasReady) return;
      this.#outstanding = this.core.ready();
      this.#taken = this.core.markAt(this.core.status.last);
      this.#written = false;
    } else if (!this.#written) {
      this.#write(this.#outstanding);
      this.#written = true;
    } else {
      this.#finish(this.#outstanding);
    }
    this.flush();
  }

  /** Takes a snapshot of all that is applied, and forgets the log behind it. */
  compact(): void {
    if (this.core === null || this.#outstanding !== null) return;
    const { applied } = this.core.status;
    const { snapshot, entries, hardState } = this.#disk.durable;
    if (applied <= snapshot.index) return;
    const mark = this.core.markAt(applied);
    const left = entries.filter((entry) => entry.index > applied);
    this.#disk = {
      durable: { hardState, snapshot: mark, entries: left },
      snapshotState: [...this.state],
    };
    this.core.compact(applied);
  }

  #write(ready: Ready): void {
    const { durable, snapshotState } = this.#disk;
    const snapshot = ready.snapshot ?? durable.snapshot;
    const base = ready.snapshot === null ? durable.entries : [];
    const first = ready.entries[0]?.index ?? Infinity;
    const kept = base.filter((entry) => entry.index > snapshot.index && entry.index < first);
    const state = ready.snapshot === null ? undefined : this.#arriving.get(keyOf(ready.snapshot));
    if (ready.snapshot !== null && state === undefined) throw new Error('a snapshot without state');
    this.#disk = {
      durable: {
        hardState: ready.hardState ?? durable.hardState,
        snapshot,
        entries: [...kept, ...ready.entries],
      },
      snapshotState: state ?? snapshotState,
    };
    if (this.#taken !== null) this.options.host.written(this, this.#taken);
  }

  #finish(ready: Ready): void {
    const { host } = this.options;
    if (ready.snapshot !== null) {
      this.state = [...this.#disk.snapshotState];
      host.installed(this);
    }
    for (const entry of ready.committedEntries) {
      this.state.push(entry.kind === 'command' ? new TextDecoder().decode(entry.data) : '');
      host.applied(this, entry);
    }
    for (const message of ready.messages) this.#send(message);
    this.#outstanding = null;
    this.core?.advance();
    for (const { id, index } of ready.reads) host.read(this, id, index);
  }

  #send(message: Message): void {
    const { host } = this.options;
    host.send(this, message, message.type === 'snapshot' ? this.#disk.snapshotState : null);
  }
}

function keyOf({ index, term }: SnapshotMark): string {
  return `${index}/${term}`;
}
