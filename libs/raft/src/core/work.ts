import { assert } from '@pawl/kernel';
import { entryBytes } from './raft-log.js';
import type { RaftLog } from './raft-log.js';
import type {
  Entry,
  HardState,
  LogIndex,
  Message,
  ReadState,
  Ready,
  SnapshotMark,
  Term,
} from './types.js';

/**
 * What waits for the shell, what the shell has in its hands, and since when. Promises are messages
 * that may be sent only after all that was decided before them is durable. Writing and applying are
 * reported apart: how long the state machine takes says nothing of the disk.
 */
export class Work {
  readonly #log: RaftLog;
  #promises: Message[] = [];
  #reads: ReadState[] = [];
  #received: SnapshotMark | null = null;
  #outstanding: Ready | null = null;
  /** The last entry that was handed out to be applied, or that an installed snapshot covers. */
  #handedOutTo: LogIndex;
  /** Handed out to be applied, and not reported; oldest first. */
  #applying: Entry[] = [];
  #applyingBytes = 0;
  readonly #maxApplyBytes: number;
  /** Last hard state that was handed out, and the term of the last that was written. */
  #handedOut: HardState;
  #durableTerm: Term;
  #waitedTicks = 0;

  /** `hardState` is durable. Of entries at most `maxApplyBytes` are being applied, and one entry. */
  constructor(log: RaftLog, hardState: HardState, maxApplyBytes: number) {
    this.#log = log;
    this.#maxApplyBytes = maxApplyBytes;
    this.#handedOutTo = log.applied;
    this.#handedOut = hardState;
    this.#durableTerm = hardState.term;
  }

  get durableTerm(): Term {
    return this.#durableTerm;
  }

  /** Ticks that the write at hand takes already, or that work lies there and nobody takes it. */
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
      (this.#hasRoom && this.#handedOutTo < this.#log.applicable) ||
      !sameHardState(this.#handedOut, now)
    );
  }

  take(now: HardState): Ready {
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
      committedEntries: this.#handOut(log.applicable),
      reads: this.#reads,
      messages: this.#promises,
    };
    this.#received = null;
    this.#reads = [];
    this.#promises = [];
    this.#handedOut = now;
    this.#waitedTicks = 0;
    this.#outstanding = ready;
    return ready;
  }

  /** What came while the outstanding work is written and need not wait for that. */
  further(): Pick<Ready, 'committedEntries' | 'reads'> {
    const reads = this.#reads;
    this.#reads = [];
    const writes = this.#outstanding !== null && this.#outstanding.snapshot === null;
    const committedEntries = writes ? this.#handOut(this.#log.applicable) : [];
    return { committedEntries, reads };
  }

  /** What was taken is written, durable where it had to be, and its snapshot is installed. */
  done(): Ready {
    const ready = this.#outstanding;
    assert(ready !== null, 'a Ready is outstanding');
    this.#outstanding = null;
    this.#waitedTicks = 0;
    // A later leader may have replaced the rest meanwhile, or all by a snapshot, which is written first.
    const stored = ready.entries.findLast(({ index, term }) => this.#log.has(index, term));
    if (stored !== undefined && this.#received === null) this.#log.stableTo(stored.index);
    if (ready.snapshot !== null) this.#installed(ready.snapshot);
    if (ready.hardState !== null) this.#durableTerm = ready.hardState.term;
    return ready;
  }

  /** Of what was handed out, everything up to `index` is in the state machine's state. */
  applied(index: LogIndex): void {
    const [first] = this.#applying;
    const count = first === undefined ? 0 : index - first.index + 1;
    const last = this.#applying[count - 1];
    assert(last !== undefined, 'only what was handed out is applied');
    for (const entry of this.#applying.splice(0, count)) this.#applyingBytes -= entryBytes(entry);
    this.#log.appliedTo(last);
  }

  /** It covers all that was handed out before. */
  #installed(snapshot: SnapshotMark): void {
    this.#applying = [];
    this.#applyingBytes = 0;
    this.#handedOutTo = snapshot.index;
    this.#log.appliedTo(snapshot);
  }

  get #hasRoom(): boolean {
    return !this.#log.installing && this.#applyingBytes < this.#maxApplyBytes;
  }

  /** Entries up to `upTo` that are to be applied next, as many as there is room for. */
  #handOut(upTo: LogIndex): readonly Entry[] {
    if (!this.#hasRoom) return [];
    const room = this.#maxApplyBytes - this.#applyingBytes;
    const entries = this.#log.slice(this.#handedOutTo, upTo, room);
    for (const entry of entries) this.#applyingBytes += entryBytes(entry);
    this.#applying.push(...entries);
    this.#handedOutTo += entries.length;
    return entries;
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
