import { assert } from '@pawl/kernel';
import { RaftLog } from './raft-log.js';
import type {
  Entry,
  EntryKind,
  HardState,
  LogIndex,
  Message,
  NodeId,
  ProposeOutcome,
  Ready,
  Role,
  SnapshotMark,
  Term,
} from './types.js';

export interface RaftConfig {
  readonly id: NodeId;
  /** The voting members. Exactly this node: more are refused with {@link ConfigurationError}. */
  readonly voters: readonly NodeId[];
  /** Ticks without a leader after which a node campaigns; at least 1. */
  readonly electionTicks: number;
  /** Bytes of proposals above the commit index at which further ones are refused. */
  readonly maxUncommittedBytes: number;
  /** Bytes of entries in one {@link Ready}, unless a single entry is larger. */
  readonly maxReadyBytes: number;
}

/** What a node starts from: what its storage holds durably. */
export interface DurableState {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMark;
  /** Follow the snapshot without a gap. */
  readonly entries: readonly Entry[];
}

export const EMPTY_STATE: DurableState = {
  hardState: { term: 0, vote: null, commit: 0 },
  snapshot: { index: 0, term: 0 },
  entries: [],
};

/** The group of voters is not one that this node can run. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export interface CoreStatus {
  readonly role: Role;
  readonly leader: NodeId | null;
  readonly term: Term;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly last: LogIndex;
}

const NO_DATA = new Uint8Array(0);

/**
 * Raft (Ongaro's thesis, chapter 3) for a group of one voter, as a pure state machine: the same
 * inputs give the same outputs. Inputs are `step`, `tick`, `propose`, `compact`; the output is one
 * {@link Ready} at a time, which `advance()` reports as written and applied. The node's own vote
 * and its own entries count only once they have been reported durable.
 */
export class RaftCore {
  readonly #config: RaftConfig;
  readonly #log: RaftLog;
  #role: Role = 'follower';
  #leader: NodeId | null = null;
  #term: Term;
  #vote: NodeId | null;
  #elapsedTicks = 0;
  /** Last hard state that was handed out. */
  #handedOut: HardState;
  #outstanding: Ready | null = null;

  constructor(config: RaftConfig, state: DurableState = EMPTY_STATE) {
    checkConfig(config);
    this.#config = config;
    this.#log = new RaftLog(state.snapshot, state.entries, state.hardState.commit);
    this.#term = state.hardState.term;
    this.#vote = state.hardState.vote;
    assert(this.#log.lastTerm <= this.#term, 'no entry is of a later term than the hard state');
    this.#handedOut = state.hardState;
  }

  get status(): CoreStatus {
    return {
      role: this.#role,
      leader: this.#leader,
      term: this.#term,
      commit: this.#log.committed,
      applied: this.#log.applied,
      last: this.#log.lastIndex,
    };
  }

  /** One unit of time passed. */
  tick(): void {
    if (this.#role === 'leader') return;
    this.#elapsedTicks += 1;
    if (this.#elapsedTicks >= this.#config.electionTicks) this.#campaign();
  }

  /** Takes one message. From anybody but a voter it is dropped. */
  step(message: Message): void {
    if (message.type === 'campaign') {
      if (this.#role !== 'leader') this.#campaign();
      return;
    }
    if (message.from !== this.#config.id || message.term !== this.#term) return;
    if (message.type === 'vote-response') {
      if (this.#role === 'candidate' && message.granted) this.#becomeLeader();
    } else if (this.#role === 'leader') {
      this.#commitTo(message.index);
    }
  }

  /** Appends a command to the log of the leader; it is committed once it was applied. */
  propose(data: Uint8Array): ProposeOutcome {
    if (this.#role !== 'leader') return { ok: false, reason: 'not-leader' };
    const waiting = this.#log.uncommittedBytes;
    if (waiting > 0 && waiting + data.length > this.#config.maxUncommittedBytes) {
      return { ok: false, reason: 'too-much-uncommitted' };
    }
    return { ok: true, index: this.#append('command', data), term: this.#term };
  }

  /** Whether {@link ready} has something to do. */
  get hasReady(): boolean {
    if (this.#outstanding !== null) return false;
    return (
      this.#log.stable < this.#log.lastIndex ||
      this.#log.applied < this.#log.committed ||
      !sameHardState(this.#handedOut, this.#hardState())
    );
  }

  /** The next piece of work; the one before must have been reported with {@link advance}. */
  ready(): Ready {
    assert(this.#outstanding === null, 'one Ready is worked on at a time');
    const { maxReadyBytes } = this.#config;
    const log = this.#log;
    const entries = log.slice(log.stable, log.lastIndex, maxReadyBytes);
    const now = this.#hardState();
    const { term, vote } = this.#handedOut;
    const ready: Ready = {
      hardState: sameHardState(this.#handedOut, now) ? null : now,
      entries,
      mustSync: entries.length > 0 || now.term !== term || now.vote !== vote,
      committedEntries: log.slice(log.applied, log.committed, maxReadyBytes),
    };
    this.#handedOut = now;
    this.#outstanding = ready;
    return ready;
  }

  /** Reports the outstanding {@link Ready}: written, durable where it had to be, and applied. */
  advance(): void {
    const done = this.#outstanding;
    assert(done !== null, 'a Ready is outstanding');
    this.#outstanding = null;
    const stored = done.entries.at(-1);
    if (stored !== undefined) this.#log.stableTo(stored.index);
    const applied = done.committedEntries.at(-1);
    if (applied !== undefined) this.#log.appliedTo(applied.index);
    this.#answerSelf(done);
  }

  /** A durable snapshot covers everything up to `index`: the entries behind it are forgotten. */
  compact(index: LogIndex): void {
    this.#log.compact(index);
  }

  /** Term of an entry that is still in the log or the one it was compacted at. */
  termAt(index: LogIndex): Term {
    return this.#log.termAt(index);
  }

  /** Its own vote and its own entries count like those of any voter: once they are durable. */
  #answerSelf(done: Ready): void {
    const from = this.#config.id;
    const voted = done.hardState;
    if (voted !== null && voted.vote === from) {
      this.step({ type: 'vote-response', from, term: voted.term, granted: true });
    }
    const index = this.#log.stable;
    this.step({ type: 'append-response', from, term: this.#term, index });
  }

  #campaign(): void {
    this.#term += 1;
    assert(Number.isSafeInteger(this.#term), 'terms are safe integers');
    this.#vote = this.#config.id;
    this.#role = 'candidate';
    this.#leader = null;
    this.#elapsedTicks = 0;
  }

  #becomeLeader(): void {
    this.#role = 'leader';
    this.#leader = this.#config.id;
    this.#elapsedTicks = 0;
    this.#append('noop', NO_DATA);
  }

  #append(kind: EntryKind, data: Uint8Array): LogIndex {
    const index = this.#log.lastIndex + 1;
    this.#log.append({ index, term: this.#term, kind, data });
    return index;
  }

  /** Commits by counting only in the leader's own term (Raft thesis §3.6.2). */
  #commitTo(index: LogIndex): void {
    if (index <= this.#log.committed || this.#log.termAt(index) !== this.#term) return;
    this.#log.commitTo(index);
  }

  #hardState(): HardState {
    return { term: this.#term, vote: this.#vote, commit: this.#log.committed };
  }
}

function checkConfig(config: RaftConfig): void {
  assert(config.electionTicks >= 1, 'an election takes at least one tick');
  const { id, voters } = config;
  if (voters.length !== 1) {
    throw new ConfigurationError(
      `a group has exactly one voter, but ${voters.length} were given (${voters.join(', ')}); the log is not copied between nodes`,
    );
  }
  if (voters[0] !== id) {
    throw new ConfigurationError(`node "${id}" is not the group's only voter "${voters[0]}"`);
  }
}

function sameHardState(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}
