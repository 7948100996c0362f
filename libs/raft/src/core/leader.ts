import { assert } from '@pawl/kernel';
import { changed, encodeConfiguration, isJoint, members, settled } from './configuration.js';
import { isVoter, quorumIndex, voteResult } from './configuration.js';
import type { ConfigurationChange } from './configuration.js';
import { Progress } from './progress.js';
import type { RaftConfig } from './raft-config.js';
import type { RaftLog } from './raft-log.js';
import { ReadRounds } from './read-rounds.js';
import type {
  AppendResponse,
  EntryKind,
  HeartbeatResponse,
  LogIndex,
  Message,
  NodeId,
  ProposeOutcome,
  ProposeRefusal,
  ReadState,
  Term,
} from './types.js';

const NO_DATA = new Uint8Array(0);

export interface LeaderOptions {
  readonly config: RaftConfig;
  readonly term: Term;
  readonly log: RaftLog;
  /** Takes messages that promise nothing which is not durable yet. */
  readonly send: (message: Message) => void;
  /** Takes reads of this node that may be answered. */
  readonly answer: (read: ReadState) => void;
}

/**
 * One node's time as the leader of one term: copies the log, counts who holds it, confirms reads,
 * changes the configuration, hands leadership over. Thrown away with the term.
 */
export class Leader {
  readonly #options: LeaderOptions;
  readonly #progress = new Map<NodeId, Progress>();
  readonly #reads = new ReadRounds();
  /** The entry that opened the term: before it is committed nothing of the term is. */
  readonly #opening: LogIndex;
  #sinceHeartbeat = 0;
  #sinceQuorum = 0;
  #transferee: NodeId | null = null;
  #sinceTransfer = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#follow();
    this.#opening = this.#append('noop', NO_DATA);
    this.#broadcast();
  }

  get transferee(): NodeId | null {
    return this.#transferee;
  }

  /** Of each other member. */
  get progress(): ReadonlyMap<NodeId, Progress> {
    return this.#progress;
  }

  /** One unit of time passed. Answers false when the leader must step down: no quorum answers. */
  tick(): boolean {
    const { heartbeatTicks, electionTicks } = this.#options.config;
    this.#sinceQuorum += 1;
    if (this.#sinceQuorum >= electionTicks) {
      this.#sinceQuorum = 0;
      if (!this.#heardQuorum()) return false;
    }
    if (this.#transferee !== null && (this.#sinceTransfer += 1) >= electionTicks) {
      this.#transferee = null;
    }
    this.#sinceHeartbeat += 1;
    if (this.#sinceHeartbeat >= heartbeatTicks) this.#beat(this.#reads.round);
    return true;
  }

  propose(data: Uint8Array): ProposeOutcome {
    const { config, log, term } = this.#options;
    if (this.#transferee !== null) return refused('transferring');
    const waiting = log.uncommittedBytes;
    if (waiting > 0 && waiting + data.length > config.maxUncommittedBytes) {
      return refused('too-much-uncommitted');
    }
    const index = this.#append('command', data);
    this.#broadcast();
    return { ok: true, index, term };
  }

  /** Begins a change of the configuration; it ends by itself once a quorum of both halves agrees. */
  change(change: ConfigurationChange): ProposeOutcome {
    const { log, term, config } = this.#options;
    if (this.#transferee !== null) return refused('transferring');
    const settling = isJoint(log.configuration) || log.configurationIndex > log.committed;
    if (settling || log.committed < this.#opening) return refused('change-under-way');
    const next = changed(log.configuration, change);
    if (next === null) return refused('invalid-change');
    const lags = (node: NodeId): boolean =>
      log.configuration.learners.includes(node) &&
      (this.#progress.get(node)?.match ?? 0) + config.catchUpEntries < log.lastIndex;
    if ((change.addVoters ?? []).some(lags)) return refused('not-caught-up');
    const index = this.#append('configuration', encodeConfiguration(next));
    this.#follow();
    this.#broadcast();
    return { ok: true, index, term };
  }

  /** Hands leadership to `node` as soon as it holds the whole log; given up after an election time. */
  transfer(node: NodeId): boolean {
    const { log, config } = this.#options;
    const progress = this.#progress.get(node);
    if (progress === undefined || node === config.id) return false;
    if (!log.configuration.voters.includes(node)) return false;
    if (this.#transferee === node) return true;
    this.#transferee = node;
    this.#sinceTransfer = 0;
    if (progress.match === log.lastIndex) this.#timeoutNow(node);
    else this.#sendAppend(node, progress);
    return true;
  }

  /** A read, of this node or of a follower; answered once a quorum still follows this leader. */
  read(from: NodeId, id: number): void {
    if (!this.#reads.add({ from, id }, this.#options.config.maxReads)) return;
    this.#startRound();
  }

  /** This node's log is durable up to `log.stable`. */
  stored(): void {
    this.#commit();
  }

  onAppendResponse(message: AppendResponse): void {
    const progress = this.#progress.get(message.from);
    if (progress === undefined) return;
    progress.active = true;
    const { refused: hint } = message;
    const { log } = this.#options;
    if (hint !== undefined) {
      const agree = log.lastAtOrBelow(hint.index, hint.term);
      if (progress.refused(message.index, agree)) this.#sendAppend(message.from, progress);
      return;
    }
    if (message.index > log.lastIndex) return;
    const wasPaused = progress.paused;
    if (progress.acknowledged(message.index)) this.#commit();
    if (wasPaused || progress.next <= log.lastIndex) this.#fill(message.from, progress);
    if (this.#transferee === message.from && progress.match === log.lastIndex) {
      this.#timeoutNow(message.from);
    }
  }

  onHeartbeatResponse(message: HeartbeatResponse): void {
    const progress = this.#progress.get(message.from);
    if (progress === undefined) return;
    progress.active = true;
    progress.answered();
    const { log } = this.#options;
    if (progress.match < log.lastIndex || progress.state === 'probe') {
      this.#sendAppend(message.from, progress);
    }
    this.#reads.answered(message.from, message.round);
    this.#confirmReads();
  }

  onUnreachable(node: NodeId): void {
    this.#progress.get(node)?.unreachable();
  }

  onSnapshotEnded(node: NodeId, delivered: boolean): void {
    this.#progress.get(node)?.snapshotEnded(delivered);
  }

  #append(kind: EntryKind, data: Uint8Array): LogIndex {
    const { log, term } = this.#options;
    const index = log.lastIndex + 1;
    log.append({ index, term, kind, data });
    return index;
  }

  /** Progress of exactly the members of the newest configuration. */
  #follow(): void {
    const { log, config } = this.#options;
    const wanted = members(log.configuration).filter((node) => node !== config.id);
    for (const node of this.#progress.keys()) {
      if (!wanted.includes(node)) this.#progress.delete(node);
    }
    for (const node of wanted) {
      if (this.#progress.has(node)) continue;
      const progress = new Progress(log.lastIndex + 1, config);
      // It has had no time to be silent.
      progress.active = true;
      this.#progress.set(node, progress);
    }
  }

  #heardQuorum(): boolean {
    const { log, config } = this.#options;
    const heard = voteResult(
      log.configuration,
      (node) => node === config.id || this.#progress.get(node)?.active === true,
    );
    for (const progress of this.#progress.values()) progress.active = false;
    return heard === 'won';
  }

  #broadcast(): void {
    for (const [node, progress] of this.#progress) this.#sendAppend(node, progress);
  }

  /** Sends until the window is full or nothing is left. */
  #fill(node: NodeId, progress: Progress): void {
    do this.#sendAppend(node, progress);
    while (!progress.paused && progress.next <= this.#options.log.lastIndex);
  }

  #sendAppend(node: NodeId, progress: Progress): void {
    if (progress.paused) return;
    const { log, term, config } = this.#options;
    const previousIndex = progress.next - 1;
    if (previousIndex < log.compacted.index) return this.#sendSnapshot(node, progress);
    const entries = log.slice(previousIndex, log.lastIndex, config.maxMessageBytes);
    const bytes = entries.reduce((sum, entry) => sum + entry.data.length, 0);
    const previousTerm = log.termAt(previousIndex);
    const head = { type: 'append', from: config.id, to: node, term } as const;
    this.#options.send({ ...head, previousIndex, previousTerm, entries, commit: log.committed });
    progress.sent(previousIndex + entries.length, bytes);
  }

  #sendSnapshot(node: NodeId, progress: Progress): void {
    if (!progress.active) return;
    const { log, term, config } = this.#options;
    const snapshot = log.compacted;
    this.#options.send({ type: 'snapshot', from: config.id, to: node, term, snapshot });
    progress.sentSnapshot(snapshot.index);
  }

  #beat(round: number): void {
    this.#sinceHeartbeat = 0;
    const { log, term, config } = this.#options;
    for (const [node, progress] of this.#progress) {
      const commit = Math.min(log.committed, progress.match);
      const head = { type: 'heartbeat', from: config.id, to: node, term } as const;
      this.#options.send({ ...head, commit, round });
    }
  }

  #timeoutNow(node: NodeId): void {
    const { term, config } = this.#options;
    this.#options.send({ type: 'timeout-now', from: config.id, to: node, term });
  }

  /** Counts only entries of its own term (Raft thesis §3.6.2): earlier ones follow with them. */
  #commit(): void {
    const { log, term, config } = this.#options;
    const held = (node: NodeId): LogIndex =>
      node === config.id ? log.stable : (this.#progress.get(node)?.match ?? 0);
    const index = quorumIndex(log.configuration, held);
    if (index <= log.committed || log.termAt(index) !== term) return;
    const opens = log.committed < this.#opening;
    log.commitTo(index);
    this.#continueChange();
    this.#broadcast();
    if (opens) this.#startRound();
  }

  /** Once a joint configuration is committed its end is proposed (Raft thesis §4.3). */
  #continueChange(): void {
    const { log } = this.#options;
    if (!isJoint(log.configuration) || log.configurationIndex > log.committed) return;
    this.#append('configuration', encodeConfiguration(settled(log.configuration)));
    this.#follow();
  }

  /** Whether the configuration without this node is committed: its work is done. */
  get retired(): boolean {
    const { log, config } = this.#options;
    return log.configurationIndex <= log.committed && !isVoter(log.configuration, config.id);
  }

  /** Reads wait for the term's first commit: only then is the commit index known to be newest. */
  #startRound(): void {
    const { log } = this.#options;
    if (log.committed < this.#opening) return;
    if (this.#reads.begin(log.committed)) this.#beat(this.#reads.round);
    this.#confirmReads();
  }

  #confirmReads(): void {
    const { log, config, term } = this.#options;
    const confirmed = (round: number): boolean =>
      voteResult(log.configuration, (node) =>
        node === config.id ? true : this.#reads.hasAnswered(node, round) || undefined,
      ) === 'won';
    for (const { from, id, index } of this.#reads.take(confirmed)) {
      if (from === config.id) this.#options.answer({ id, index });
      else
        this.#options.send({ type: 'read-response', from: config.id, to: from, term, id, index });
    }
    assert(this.#reads.waiting <= config.maxReads, 'waiting reads are bounded');
    if (this.#reads.idle && this.#reads.unbegun > 0) this.#startRound();
  }
}

function refused(reason: ProposeRefusal): ProposeOutcome {
  return { ok: false, reason };
}
