import { assert } from '@pawl/kernel';
import { isOnlyVoter, isVoter, voteResult } from './configuration.js';
import type { Configuration, ConfigurationChange } from './configuration.js';
import type { DurableState } from './durable-state.js';
import { takeAppend, takeSnapshot } from './follow.js';
import { MAX_TERM } from './ids.js';
import { isSound } from './is-sound.js';
import { Leader } from './leader.js';
import { checkConfig } from './raft-config.js';
import type { RaftConfig } from './raft-config.js';
import { RaftLog } from './raft-log.js';
import type {
  Entry,
  HardState,
  LogIndex,
  Message,
  NewMessage,
  NodeId,
  ProposeOutcome,
  Ready,
  Role,
  SnapshotMark,
  Term,
  VoteRequest,
  VoteResponse,
} from './types.js';
import { Work } from './work.js';

/** What only a leader says. */
const LEADERS_WORDS: ReadonlySet<Message['type']> = new Set([
  'append',
  'heartbeat',
  'snapshot',
  'timeout-now',
  'read-response',
]);

export interface CoreStatus {
  readonly role: Role;
  readonly leader: NodeId | null;
  readonly term: Term;
  readonly commit: LogIndex;
  /** What `applied()` has reported, and a leader's snapshot that is installed. */
  readonly applied: LogIndex;
  readonly last: LogIndex;
  readonly configuration: Configuration;
}

/**
 * Raft (Ongaro's thesis) as a pure state machine, with pre-vote, check-quorum, ReadIndex, learners,
 * joint configurations and leadership transfer: the same inputs give the same outputs. Inputs are
 * `step`, `tick`, `propose` and the like; outputs are {@link RaftCore.messages}, which may be sent at
 * any time, and one {@link Ready} at a time, which `advance()` reports as written. What is handed out
 * to be applied `applied()` reports, whenever that is: it delays nothing else. A node's own vote and
 * its own entries count only once they were reported durable.
 */
export class RaftCore {
  readonly #config: RaftConfig;
  readonly #log: RaftLog;
  readonly #work: Work;
  #role: Role = 'follower';
  #leader: NodeId | null = null;
  #leading: Leader | null = null;
  #term: Term;
  #vote: NodeId | null;
  #votes = new Map<NodeId, boolean>();
  #elapsed = 0;
  #timeout: number;
  #outbox: Message[] = [];

  constructor(config: RaftConfig, state: DurableState) {
    checkConfig(config);
    this.#config = config;
    this.#log = new RaftLog(state.snapshot, state.entries, state.hardState.commit);
    this.#term = state.hardState.term;
    this.#vote = state.hardState.vote;
    assert(this.#log.lastTerm <= this.#term, 'no entry is of a later term than the hard state');
    this.#work = new Work(this.#log, state.hardState, config.maxApplyBytes);
    this.#timeout = this.#chooseTimeout();
  }

  get status(): CoreStatus {
    return {
      role: this.#role,
      leader: this.#leader,
      term: this.#term,
      commit: this.#log.committed,
      applied: this.#log.applied,
      last: this.#log.lastIndex,
      configuration: this.#log.configuration,
    };
  }

  /** What the leader knows of the others; `null` elsewhere. */
  get leading(): Leader | null {
    return this.#leading;
  }

  /** One unit of time passed. */
  tick(): void {
    this.#leading?.flush();
    this.#work.tick(this.#hardState());
    if (this.#leading !== null) {
      const helpless = this.#hangs && !isOnlyVoter(this.#log.configuration, this.#config.id);
      if (helpless || !this.#leading.tick()) this.#follow(this.#term, null);
      return;
    }
    this.#elapsed += 1;
    if (this.#elapsed < this.#timeout) return;
    this.#elapsed = 0;
    this.#leader = null;
    this.campaign();
  }

  /** Holds an election now, if this node may: it asks first whether it could win. */
  campaign(): void {
    if (this.#role !== 'leader' && this.#mayCampaign) this.#campaign('pre-vote');
  }

  /** Appends a command to the leader's log. */
  propose(data: Uint8Array): ProposeOutcome {
    return this.#leading?.propose(data) ?? { ok: false, reason: 'not-leader' };
  }

  change(change: ConfigurationChange): ProposeOutcome {
    return this.#leading?.change(change) ?? { ok: false, reason: 'not-leader' };
  }

  /** Hands leadership over; answers false when this node does not lead or the other cannot. */
  transfer(to: NodeId): boolean {
    return this.#leading?.transfer(to) ?? false;
  }

  /**
   * Asks for a linearizable read; its {@link ReadState} comes with a Ready, or never: the answer may
   * be lost. `id` is never used twice by this node, across restarts. Answers false without a leader,
   * or when this node leads and too many reads wait: that one never comes.
   */
  read(id: number): boolean {
    if (this.#leading !== null) return this.#leading.read(this.#config.id, id);
    if (this.#leader !== null) this.#send({ type: 'read', to: this.#leader, id });
    return this.#leader !== null;
  }

  /** What was sent to `node` may be lost. */
  unreachable(node: NodeId): void {
    this.#leading?.onUnreachable(node);
  }

  /** The state for a `snapshot` message was delivered to `node`, or could not be. */
  snapshotEnded(node: NodeId, delivered: boolean): void {
    this.#leading?.onSnapshotEnded(node, delivered);
  }

  /**
   * A durable snapshot covers everything up to `index`, which is applied: nodes that lag further than
   * `trailingBytes` are sent it. Nothing happens when a newer one is known.
   */
  compact(index: LogIndex): void {
    this.#log.compact(index, this.#config.trailingBytes ?? 0);
  }

  /** An entry that is still in the log. */
  entryAt(index: LogIndex): Entry {
    const [entry] = this.#log.slice(index - 1, index);
    assert(entry !== undefined, `entry ${index} is in the log`);
    return entry;
  }

  /** Whether the log holds this entry, or a snapshot covers it. */
  holds(index: LogIndex, term: Term): boolean {
    return index < this.#log.compacted.index || this.#log.has(index, term);
  }

  /** The mark of a snapshot taken at `index`: what is applied, or an entry that is still in the log. */
  markAt(index: LogIndex): SnapshotMark {
    return this.#log.markAt(index);
  }

  /**
   * Takes one message of another node. Answers false for one that no node in its right mind would
   * send to this one: it is dropped.
   */
  step(message: Message): boolean {
    if (!this.#isSound(message)) return false;
    if (this.#isBlank && (message.type === 'pre-vote' || message.type === 'vote')) return true;
    if (message.term > this.#term && !this.#meetHigherTerm(message)) return true;
    if (message.term < this.#term) this.#meetLowerTerm(message);
    else this.#take(message);
    return true;
  }

  #isSound(message: Message): boolean {
    const { id } = this.#config;
    if (message.to !== id || message.from === id || !isSound(message)) return false;
    // A term has one leader.
    const contradicts = this.#leader !== null && this.#leader !== message.from;
    if (LEADERS_WORDS.has(message.type) && message.term === this.#term && contradicts) return false;
    if (message.type !== 'snapshot') return true;
    const { committed } = this.#log;
    const { index, term } = message.snapshot;
    return index <= committed || term >= this.#log.termAt(committed);
  }

  /** Takes a message of this term. */
  #take(message: Message): void {
    switch (message.type) {
      case 'pre-vote':
      case 'vote':
        return this.#onVoteRequest(message);
      case 'pre-vote-response':
      case 'vote-response':
        return this.#onVoteResponse(message);
      case 'append':
      case 'heartbeat':
      case 'snapshot':
        this.#hearLeader(message.from);
        return this.#onLeaderMessage(message);
      case 'append-response':
        this.#leading?.onAppendResponse(message);
        return this.#retireIfDone();
      case 'heartbeat-response':
        return this.#leading?.onHeartbeatResponse(message);
      case 'timeout-now':
        if (this.#mayCampaign && this.#role === 'follower') this.#campaign('vote', true);
        return;
      case 'read':
        this.#leading?.read(message.from, message.id);
        return;
      case 'read-response':
        if (message.from === this.#leader)
          this.#work.answer({ id: message.id, index: message.index });
    }
  }

  /** Takes the messages that may be sent at once: they promise nothing that is not durable. */
  messages(): readonly Message[] {
    this.#leading?.flush();
    const messages = this.#outbox;
    this.#outbox = [];
    return messages;
  }

  /** Whether {@link ready} has something to do. */
  get hasReady(): boolean {
    this.#leading?.flush();
    return this.#work.isThere(this.#hardState());
  }

  /** The next piece of work; the one before must have been reported with {@link advance}. */
  ready(): Ready {
    this.#leading?.flush();
    return this.#work.take(this.#hardState());
  }

  /**
   * What came since the outstanding {@link Ready} was taken and need not wait for its write: entries to
   * apply, and reads. Entries only while one is outstanding that installs no snapshot.
   */
  further(): Pick<Ready, 'committedEntries' | 'reads'> {
    return this.#work.further();
  }

  /**
   * Reports the outstanding {@link Ready}: written, durable where it had to be, and its snapshot
   * installed, to which end nothing is being applied any more.
   */
  advance(): void {
    const { hardState } = this.#work.done();
    this.#countOwnVote(hardState);
    this.#leading?.stored();
    this.#retireIfDone();
  }

  /**
   * Reports that the state machine has applied everything up to `index`, an entry that was handed out
   * by {@link ready} or {@link further}.
   */
  applied(index: LogIndex): void {
    this.#work.applied(index);
  }

  /**
   * Voters may, and so may one that an uncommitted configuration leaves out: the others may need its
   * log to finish that change (Raft thesis §4.2.2).
   */
  get #mayCampaign(): boolean {
    const { configuration, committed, installing } = this.#log;
    const { id } = this.#config;
    const votes = isVoter(configuration, id) || isVoter(this.#log.configurationAt(committed), id);
    return votes && !installing && !this.#hangs && this.#term < MAX_TERM;
  }

  /** The disk has not answered for an election time: nothing new is promised. */
  get #hangs(): boolean {
    return this.#work.waitedTicks >= this.#config.electionTicks;
  }

  /** Answers false when the message is not taken. */
  #meetHigherTerm(message: Message): boolean {
    if (message.type === 'pre-vote' || message.type === 'vote') {
      const hearsLeader = this.#leader !== null && this.#elapsed < this.#config.electionTicks;
      if (hearsLeader && !message.transfer) return false;
    }
    if (message.type === 'pre-vote') return true;
    if (message.type === 'pre-vote-response' && message.granted) return true;
    const leads = LEADERS_WORDS.has(message.type);
    this.#follow(message.term, leads ? message.from : null);
    return true;
  }

  /** A node that leads or campaigns in an earlier term learns of this one. */
  #meetLowerTerm({ type, from }: Message): void {
    if (type === 'append' || type === 'heartbeat' || type === 'snapshot') {
      this.#promise({
        type: 'append-response',
        to: from,
        index: 0,
        refused: { index: 0, term: 0 },
      });
    } else if (type === 'pre-vote') {
      this.#promise({ type: 'pre-vote-response', to: from, granted: false });
    }
  }

  #onVoteRequest(message: VoteRequest): void {
    const { type, from, lastIndex, lastTerm } = message;
    const isPre = type === 'pre-vote';
    const free =
      this.#vote === from ||
      (this.#vote === null && this.#leader === null) ||
      (isPre && message.term > this.#term);
    const granted = free && this.#log.isUpToDate(lastIndex, lastTerm);
    if (isPre) {
      const term = granted ? message.term : this.#term;
      return this.#promise({ type: 'pre-vote-response', to: from, granted }, term);
    }
    if (granted) {
      this.#vote = from;
      this.#elapsed = 0;
    }
    this.#promise({ type: 'vote-response', to: from, granted });
  }

  #onVoteResponse({ type, from, granted, term }: VoteResponse): void {
    const wanted = type === 'pre-vote-response' ? 'pre-candidate' : 'candidate';
    if (this.#role !== wanted) return;
    const ofThisElection = type === 'vote-response' || !granted || term === this.#term + 1;
    if (!ofThisElection || this.#votes.has(from)) return;
    this.#votes.set(from, granted);
    this.#countVotes();
  }

  #countVotes(): void {
    const result = voteResult(this.#log.configuration, (node) => this.#votes.get(node));
    if (result === 'lost') return this.#follow(this.#term, null);
    if (result !== 'won') return;
    if (this.#role === 'pre-candidate') this.#campaign('vote');
    else if (this.#work.durableTerm === this.#term) this.#lead();
  }

  #campaign(type: 'pre-vote' | 'vote', transfer = false): void {
    this.#reset(type === 'vote' ? this.#term + 1 : this.#term, null);
    this.#role = type === 'vote' ? 'candidate' : 'pre-candidate';
    if (type === 'vote') this.#vote = this.#config.id;
    const term = type === 'vote' ? this.#term : this.#term + 1;
    const { lastIndex, lastTerm, configuration } = this.#log;
    for (const to of new Set([...configuration.voters, ...configuration.outgoing])) {
      if (to === this.#config.id) continue;
      this.#promise({ type, to, lastIndex, lastTerm, transfer }, term);
    }
    if (type === 'vote') return;
    this.#votes.set(this.#config.id, true);
    this.#countVotes();
  }

  /** The own vote counts once it is durable. */
  #countOwnVote(written: HardState | null): void {
    if (this.#role !== 'candidate' || this.#votes.has(this.#config.id)) return;
    if (written?.term !== this.#term || written.vote !== this.#config.id) return;
    this.#votes.set(this.#config.id, true);
    this.#countVotes();
  }

  #lead(): void {
    const { id } = this.#config;
    assert(this.#work.durableTerm === this.#term, 'a leader’s term is durable');
    this.#reset(this.#term, id);
    this.#role = 'leader';
    this.#leading = new Leader({
      config: this.#config,
      term: this.#term,
      log: this.#log,
      send: (message) => this.#outbox.push(message),
      answer: (read) => this.#work.answer(read),
    });
  }

  #follow(term: Term, leader: NodeId | null): void {
    this.#reset(term, leader);
    this.#role = 'follower';
  }

  /** What belongs to a former term or role goes with it, also what it had not said yet. */
  #reset(term: Term, leader: NodeId | null): void {
    if (term !== this.#term) {
      assert(term > this.#term && Number.isSafeInteger(term), 'terms only grow');
      this.#term = term;
      this.#vote = null;
      this.#work.dropPromises();
      this.#outbox = [];
    }
    this.#leader = leader;
    this.#leading = null;
    this.#votes = new Map();
    this.#elapsed = 0;
    this.#timeout = this.#chooseTimeout();
  }

  #hearLeader(leader: NodeId): void {
    if (this.#role !== 'follower' || this.#leader !== leader) this.#follow(this.#term, leader);
    this.#elapsed = 0;
  }

  #onLeaderMessage(message: Extract<Message, { type: 'append' | 'heartbeat' | 'snapshot' }>): void {
    const log = this.#log;
    const { type, from: to } = message;
    if (type === 'heartbeat') {
      log.commitTo(Math.min(message.commit, log.lastIndex));
      const response = { type: 'heartbeat-response', to, round: message.round } as const;
      if (this.#work.durableTerm === this.#term) this.#send(response);
      else this.#promise(response);
      return;
    }
    // What a hanging disk does not take would pile up in memory.
    if (this.#hangs) return;
    if (type === 'append') {
      return this.#promise({ type: 'append-response', to, ...takeAppend(log, message) });
    }
    if (takeSnapshot(log, message.snapshot)) this.#work.install(message.snapshot);
    this.#promise({ type: 'append-response', to, index: log.committed });
  }

  #retireIfDone(): void {
    if (this.#leading?.retired !== true) return;
    this.#leading.retire();
    this.#follow(this.#term, null);
  }

  /**
   * It knows of no cluster yet, or has lost all that it knew, its votes too. Nobody needs its vote: to
   * become a voter it has to hold the log.
   */
  get #isBlank(): boolean {
    return this.#log.configuration.voters.length === 0;
  }

  /** Says something that promises nothing beyond what is durable. */
  #send(message: NewMessage): void {
    this.#outbox.push({ from: this.#config.id, term: this.#term, ...message });
  }

  /** Says something once all that was decided before it is durable; a disk that hangs promises nothing. */
  #promise(message: NewMessage, term = this.#term): void {
    if (!this.#hangs) this.#work.promise({ from: this.#config.id, term, ...message });
  }

  #chooseTimeout(): number {
    const { electionTicks, rng } = this.#config;
    return electionTicks + rng.below(electionTicks);
  }

  #hardState(): HardState {
    return { term: this.#term, vote: this.#vote, commit: this.#log.committed };
  }
}
