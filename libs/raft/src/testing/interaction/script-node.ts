import { RaftCore } from '../../core/index.js';
import type {
  CoreStatus,
  DurableState,
  Entry,
  Message,
  RaftConfig,
  Ready,
} from '../../core/index.js';
import { printConfiguration, printFurther, printReady } from './print.js';

/**
 * A node of a script: a core and its disk. What the disk takes is durable; the three steps of the
 * work on a Ready are taken apart, so that a crash can come between any two.
 */
export class ScriptNode {
  #core: RaftCore | null;
  #disk: DurableState;
  #outstanding: Ready | null = null;
  #written = false;
  /** What is handed out counts as applied only when the script says so. */
  #appliesSlowly = false;
  /** The last entry handed out to be applied, and not reported. */
  #applying: Entry | undefined;
  #seen: CoreStatus;

  constructor(
    private readonly config: RaftConfig,
    disk: DurableState,
    private readonly print: (line: string) => void,
  ) {
    this.#disk = disk;
    this.#core = new RaftCore(config, disk);
    this.#seen = this.#core.status;
  }

  get id(): string {
    return this.config.id;
  }

  get core(): RaftCore {
    if (this.#core === null) throw new Error(`${this.id} is down`);
    return this.#core;
  }

  get up(): boolean {
    return this.#core !== null;
  }

  get disk(): DurableState {
    return this.#disk;
  }

  get hasWork(): boolean {
    return this.#core !== null && (this.#outstanding !== null || this.#core.hasReady);
  }

  /** The log as it is in memory, without what a snapshot covers. */
  get log(): readonly Entry[] {
    const entries: Entry[] = [];
    const { last } = this.core.status;
    // No entry is of term -1: the log holds none such, only a snapshot may.
    for (let index = last; index > 0 && !this.core.holds(index - 1, -1); index -= 1) {
      entries.unshift(this.core.entryAt(index));
    }
    return entries;
  }

  take(): void {
    if (this.#outstanding !== null) throw new Error(`${this.id} is at work already`);
    if (!this.core.hasReady) return this.print(`${this.id}: nothing to do`);
    this.#outstanding = this.core.ready();
    this.#written = false;
    this.#applying = this.#outstanding.committedEntries.at(-1) ?? this.#applying;
    this.print(`${this.id}: ${printReady(this.#outstanding)}`);
  }

  /** Takes along what came since the work at hand was taken and needs no write. */
  further(): void {
    const work = this.core.further();
    this.#applying = work.committedEntries.at(-1) ?? this.#applying;
    const further = printFurther(work);
    this.print(`${this.id}: ${further === '' ? 'nothing further' : further}`);
  }

  write(): void {
    const ready = this.#outstanding;
    if (ready === null || this.#written) throw new Error(`${this.id} has nothing to write`);
    this.#written = true;
    const snapshot = ready.snapshot ?? this.#disk.snapshot;
    const first = ready.entries[0]?.index ?? Infinity;
    const before = ready.snapshot === null ? this.#disk.entries : [];
    const kept = before.filter(({ index }) => index > snapshot.index && index < first);
    this.#disk = {
      hardState: ready.hardState ?? this.#disk.hardState,
      snapshot,
      entries: [...kept, ...ready.entries],
    };
  }

  /** Answers what may be sent now that it is written. */
  finish(): readonly Message[] {
    const ready = this.#outstanding;
    if (ready === null || !this.#written) throw new Error(`${this.id} has not written`);
    this.#outstanding = null;
    if (!this.#appliesSlowly && this.#applying !== undefined) this.applied(this.#applying.index);
    this.core.advance();
    return ready.messages;
  }

  applySlowly(): void {
    this.#appliesSlowly = true;
  }

  /** Everything up to `index` is applied. */
  applied(index: number): void {
    if (index === this.#applying?.index) this.#applying = undefined;
    this.core.applied(index);
  }

  /** The whole of the work that is there, from wherever it stands. */
  work(): readonly Message[] {
    if (this.#outstanding === null) this.take();
    if (this.#outstanding === null) return [];
    if (!this.#written) this.write();
    return this.finish();
  }

  crash(written: boolean): void {
    if (written && this.#outstanding !== null && !this.#written) this.write();
    this.#core = null;
    this.#outstanding = null;
    this.#applying = undefined;
  }

  restart(): void {
    this.crash(false);
    this.#core = new RaftCore(this.config, this.#disk);
    this.#seen = this.#core.status;
  }

  compact(index: number): void {
    const snapshot = this.core.markAt(index);
    this.core.compact(index);
    const entries = this.#disk.entries.filter((entry) => entry.index > index);
    this.#disk = { ...this.#disk, snapshot, entries };
  }

  /** Prints what the last input changed. */
  notice(): void {
    if (this.#core === null) return;
    const was = this.#seen;
    const now = this.#core.status;
    this.#seen = now;
    const changes: string[] = [];
    if (now.role !== was.role || now.leader !== was.leader || now.term !== was.term) {
      const of = now.role === 'follower' ? ` of ${now.leader ?? 'nobody'}` : '';
      changes.push(`${now.role}${of} t${now.term}`);
    }
    if (now.last < was.last) changes.push(`log cut to ${now.last}`);
    if (now.commit !== was.commit) changes.push(`commit ${now.commit}`);
    const voters = printConfiguration(now.configuration);
    if (voters !== printConfiguration(was.configuration)) changes.push(`{${voters}}`);
    if (changes.length > 0) this.print(`${this.id} = ${changes.join(', ')}`);
  }
}
