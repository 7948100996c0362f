import { assert } from '@pawl/kernel';
import type { RaftLog } from './raft-log.js';
import type { Entry, HardState, Message, ReadState, Ready, SnapshotMark, Term } from './types.js';

/**
 * What waits for the shell, what the shell has in its hands, and since when. Promises are messages
 * that may be sent only after all that was decided before them is durable.
 */
export class Work {
  readonly #log: RaftLog;
  #promises: Message[] = [];
  #reads: ReadState[] = [];
  #received: SnapshotMark | null = null;
  #outstanding: Ready | null = null;
  /** The last of the entries that the outstanding work applies. */
  #applying: Entry | null = null;
  /** Last hard state that was handed out, and the term of the last that was written. */
  #handedOut: HardState;
  #durableTerm: Term;
  #waitedTicks = 0;

  /** `hardState` is durable. */
  constructor(log: RaftLog, hardState: HardState) {
    this.#log = log;
    this.#handedOut = hardState;
    this.#durableTerm = hardState.term;
  }

  get durableTerm(): Term {
    return this.#durableTerm;
  }

  /** Ticks that the work at hand takes already, or that work lies there and nobody takes it. */
  get waitedTicks(): number {
    return this.#waitedTicks;
  }

  /** Of acknowledgements that follow each other the last says it all. */
  promise(message: Message): void {
    const last = this.#promises.at(-1);
    if (last !== undefined && acknowledges(message, last)) this.#promises.pop();
    this.#promises.push(message);
  }

  /** Promises of an earlier term say nothing any more. */
  dropPromises(): void {
    this.#promises = [];
  }

  answer(read: ReadState): void {
    this.#reads.push(read);
  }

  /** A leader's snapshot is to take the place of the state machine's state. */
  install(snapshot: SnapshotMark): void {
    this.#received = snapshot;
  }

  tick(now: HardState): void {
    const waits = this.#outstanding !== null || this.isThere(now);
    this.#waitedTicks = waits ? this.#waitedTicks + 1 : 0;
  }

  /** Whether {@link take} has something to hand out. */
  isThere(now: HardState): boolean {
    if (this.#outstanding !== null) return false;
    return (
      this.#received !== null ||
      this.#promises.length > 0 ||
      this.#reads.length > 0 ||
      this.#log.stable < this.#log.lastIndex ||
      this.#log.applied < this.#log.applicable ||
      !sameHardState(this.#handedOut, now)
    );
  }

  take(now: HardState, maxApplyBytes: number): Ready {
    assert(this.#outstanding === null, 'one Ready is worked on at a time');
    const log = this.#log;
    const entries = log.slice(log.stable, log.lastIndex);
    const { term, vote } = this.#handedOut;
    const snapshot = this.#received;
    const ready: Ready = {
      snapshot,
      hardState: sameHardState(this.#handedOut, now) ? null : now,
      entries,
      mustSync: snapshot !== null || entries.length > 0 || now.term !== term || now.vote !== vote,
      committedEntries: log.installing ? [] : log.slice(log.applied, log.applicable, maxApplyBytes),
      reads: this.#reads,
      messages: this.#promises,
    };
    this.#received = null;
    this.#reads = [];
    this.#promises = [];
    this.#handedOut = now;
    this.#waitedTicks = 0;
    this.#outstanding = ready;
    this.#applying = ready.committedEntries.at(-1) ?? null;
    return ready;
  }

  /** What came while the outstanding work is done and needs no write: it is part of that work. */
  further(maxApplyBytes: number): Pick<Ready, 'committedEntries' | 'reads'> {
    const reads = this.#reads;
    this.#reads = [];
    const log = this.#log;
    const ready = this.#outstanding;
    if (ready === null || ready.snapshot !== null || log.installing) {
      return { committedEntries: [], reads };
    }
    const after = this.#applying?.index ?? log.applied;
    const committedEntries = log.slice(after, log.applicable, maxApplyBytes);
    this.#applying = committedEntries.at(-1) ?? this.#applying;
    return { committedEntries, reads };
  }

  /** What was taken is done: written, durable where it had to be, installed and applied. */
  done(): Ready {
    const ready = this.#outstanding;
    assert(ready !== null, 'a Ready is outstanding');
    this.#outstanding = null;
    this.#waitedTicks = 0;
    const stored = ready.entries.at(-1);
    if (stored !== undefined) this.#log.stableTo(stored.index, stored.term);
    const applied = this.#applying ?? ready.snapshot;
    if (applied !== null) this.#log.appliedTo(applied);
    if (ready.hardState !== null) this.#durableTerm = ready.hardState.term;
    return ready;
  }
}

/** Whether `message` acknowledges to the same leader at least what the message `before` did. */
function acknowledges(message: Message, before: Message): boolean {
  if (message.type !== 'append-response' || before.type !== 'append-response') return false;
  if (message.refused !== undefined || before.refused !== undefined) return false;
  return message.to === before.to && message.term === before.term && message.index >= before.index;
}

function sameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}
