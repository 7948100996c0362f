import { changed, encodeConfiguration, isJoint, members, settled } from './configuration.js';
import { isVoter, quorumIndex, voteResult } from './configuration.js';
import type { Configuration, ConfigurationChange } from './configuration.js';
import { Progress } from './progress.js';
import type { RaftConfig } from './raft-config.js';
import { entryBytes } from './raft-log.js';
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
 * changes the configuration, hands leadership over. Thrown away with the term. What there is to tell
 * the others is told by {@link Leader.flush}, once for all that came in before it.
 */
export class Leader {
  readonly #options: LeaderOptions;
  readonly #progress = new Map<NodeId, Progress>();
  readonly #reads = new ReadRounds();
  /** The entry that opened the term: before it is committed nothing of the term is. */
  readonly #opening: LogIndex;
  #sinceHeartbeat = 0;
  #transferee: NodeId | null = null;
  #sinceTransfer = 0;

  constructor(options: LeaderOptions) {
    this.#options = options;
    const { log } = options;
    this.#follow();
    // A log begins with the configuration that founded it: who joins knows of no other.
    this.#opening =
      log.lastIndex === 0
        ? this.#append('configuration', encodeConfiguration(log.configuration))
        : this.#append('noop', NO_DATA);
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
    for (const progress of this.#progress.values()) progress.tick();
    if (!this.#hearsQuorumOf(this.#options.log.configuration)) return false;
    if (this.#transferee !== null && (this.#sinceTransfer += 1) >= electionTicks) {
      this.#transferee = null;
    }
    this.#sinceHeartbeat += 1;
    if (this.#sinceHeartbeat >= heartbeatTicks) {
      this.#beat();
      this.#continueTransfer();
    }
    return true;
  }

  propose(data: Uint8Array): ProposeOutcome {
    const { config, log, term } = this.#options;
    if (this.#transferee !== null) return refused('transferring');
    const waiting = log.uncommittedBytes;
    if (waiting > 0 && waiting + entryBytes({ data }) > config.maxUncommittedBytes) {
      return refused('too-much-uncommitted');
    }
    return { ok: true, index: this.#append('command', data), term };
  }

  /** Begins a change of the configuration; it ends by itself once a quorum of both halves agrees. */
  change(change: ConfigurationChange): ProposeOutcome {
    const { log, term } = this.#options;
    if (this.#transferee !== null) return refused('transferring');
    const settling = isJoint(log.configuration) || log.configurationIndex > log.committed;
    if (settling || log.committed < this.#opening) return refused('change-under-way');
    const next = changed(log.configuration, change);
    if (next === null) return refused('invalid-change');
    const { voters } = log.configuration;
    const newVoters = next.voters.filter((node) => !voters.includes(node));
    if (!newVoters.every((node) => this.#hasCaughtUp(node))) return refused('not-caught-up');
    if (!this.#hearsQuorumOf(next)) return refused('unhealthy');
    const index = this.#append('configuration', encodeConfiguration(next));
    this.#follow();
    return { ok: true, index, term };
  }

  /** Hands leadership to `node` as soon as it holds the whole log; given up after an election time. */
  transfer(node: NodeId): boolean {
    const { log } = this.#options;
    const progress = this.#progress.get(node);
    if (progress?.active !== true || !log.configuration.voters.includes(node)) return false;
    if (this.#transferee === node) return true;
    this.#transferee = node;
    this.#sinceTransfer = 0;
    this.#continueTransfer();
    return true;
  }

  /**
   * A read, of this node or of a follower; answered once a quorum still follows this leader. Answers
   * false when too many wait.
   */
  read(from: NodeId, id: number): boolean {
    return this.#reads.add({ from, id }, this.#options.config.maxReads);
  }

  /** Tells the others what they do not know yet, as far as each may be told, and begins a round of reads. */
  flush(): void {
    const { log } = this.#options;
    for (const [node, progress] of this.#progress) {
      while (progress.wants(log.lastIndex, log.committed)) this.#sendAppend(node, progress);
    }
    this.#startRound();
  }

  /** This node's log is durable up to `log.stable`. */
  stored(): void {
    this.#commit();
  }

  onAppendResponse(message: AppendResponse): void {
    const progress = this.#progress.get(message.from);
    if (progress === undefined) return;
    progress.heard();
    const { refused: hint } = message;
    const { log } = this.#options;
    if (message.index > log.lastIndex) return;
    if (hint !== undefined) {
      progress.refused(message.index, log.lastAtOrBelow(hint.index, hint.term));
      return;
    }
    if (!progress.acknowledged(message.index)) return;
    this.#commit();
    if (this.#transferee === message.from) this.#continueTransfer();
  }

  onHeartbeatResponse({ from, round }: HeartbeatResponse): void {
    const progress = this.#progress.get(from);
    if (progress === undefined || round > this.#reads.round) return;
    progress.heard();
    progress.answered(this.#options.log.lastIndex);
    this.#reads.answered(from, round);
    this.#confirmReads();
  }

  onUnreachable(node: NodeId): void {
    this.#progress.get(node)?.unreachable();
  }

  onSnapshotEnded(node: NodeId, delivered: boolean): void {
    this.#progress.get(node)?.snapshotEnded(delivered);
  }

  /** Whether the configuration without this node is committed: its work is done. */
  get retired(): boolean {
    const { log, config } = this.#options;
    return log.configurationIndex <= log.committed && !isVoter(log.configuration, config.id);
  }

  /** The last words of a leader that leaves: what is committed, and that somebody may lead at once. */
  retire(): void {
    const { log } = this.#options;
    this.flush();
    const heir = log.configuration.voters.find(
      (node) => this.#holdsAll(node) && this.#progress.get(node)?.active === true,
    );
    if (heir !== undefined) this.#timeoutNow(heir);
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
      this.#progress.set(node, new Progress(log.lastIndex + 1, config));
    }
  }

  #hearsQuorumOf(configuration: Configuration): boolean {
    const { config } = this.#options;
    const hears = (node: NodeId): boolean =>
      node === config.id || this.#progress.get(node)?.active === true;
    return voteResult(configuration, hears) === 'won';
  }

  #hasCaughtUp(node: NodeId): boolean {
    const { config, log } = this.#options;
    const held = this.#progress.get(node)?.counted ?? 0;
    return held > 0 && held + config.catchUpEntries >= log.lastIndex;
  }

  #holdsAll(node: NodeId): boolean {
    return this.#progress.get(node)?.counted === this.#options.log.lastIndex;
  }

  #sendAppend(node: NodeId, progress: Progress): void {
    const { log, term, config } = this.#options;
    const previousIndex = progress.next - 1;
    if (previousIndex < log.compacted.index) return this.#sendSnapshot(node, progress);
    const entries = log.slice(previousIndex, log.lastIndex, config.maxMessageBytes);
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    const previousTerm = log.termAt(previousIndex);
    const head = { type: 'append', from: config.id, to: node, term } as const;
    this.#options.send({ previousIndex, previousTerm, entries, commit: log.committed, ...head });
    progress.sent(previousIndex + entries.length, bytes, log.committed);
  }

  #sendSnapshot(node: NodeId, progress: Progress): void {
    if (!progress.active) return progress.waitForAnswer();
    const { log, term, config } = this.#options;
    const { snapshot } = log;
    this.#options.send({ type: 'snapshot', from: config.id, to: node, term, snapshot });
    progress.sentSnapshot(snapshot.index);
  }

  #beat(): void {
    this.#sinceHeartbeat = 0;
    const { log, term, config } = this.#options;
    const { round } = this.#reads;
    for (const [node, progress] of this.#progress) {
      const commit = Math.min(log.committed, progress.counted);
      const head = { type: 'heartbeat', from: config.id, to: node, term } as const;
      this.#options.send({ commit, round, ...head });
    }
  }

  /** Repeated with every heartbeat: the message that ends it may be lost. */
  #continueTransfer(): void {
    const heir = this.#transferee;
    if (heir !== null && this.#holdsAll(heir)) this.#timeoutNow(heir);
  }

  #timeoutNow(node: NodeId): void {
    const { term, config } = this.#options;
    this.#options.send({ type: 'timeout-now', from: config.id, to: node, term });
  }

  /** Counts only entries of its own term (Raft thesis §3.6.2): earlier ones follow with them. */
  #commit(): void {
    const { log, term, config } = this.#options;
    const held = (node: NodeId): LogIndex =>
      node === config.id ? log.stable : (this.#progress.get(node)?.counted ?? 0);
    const index = quorumIndex(log.configuration, held);
    if (index <= log.committed || log.termAt(index) !== term) return;
    log.commitTo(index);
    this.#continueChange();
  }

  /** Once a joint configuration is committed its end is proposed (Raft thesis §4.3). */
  #continueChange(): void {
    const { log } = this.#options;
    if (!isJoint(log.configuration) || log.configurationIndex > log.committed) return;
    this.#append('configuration', encodeConfiguration(settled(log.configuration)));
    this.#follow();
  }

  /** Reads wait for the term's first commit: only then is the commit index known to be newest. */
  #startRound(): void {
    const { log } = this.#options;
    if (log.committed < this.#opening) return;
    while (this.#reads.begin(log.committed)) {
      this.#beat();
      this.#confirmReads();
    }
  }

  #confirmReads(): void {
    const { log, config, term } = this.#options;
    const confirmed = (round: number): boolean =>
      voteResult(
        log.configuration,
        (node) => node === config.id || this.#reads.hasAnswered(node, round),
      ) === 'won';
    for (const { from, id, index } of this.#reads.take(confirmed)) {
      if (from === config.id) this.#options.answer({ id, index });
      else
        this.#options.send({ type: 'read-response', from: config.id, to: from, term, id, index });
    }
  }
}

function refused(reason: ProposeRefusal): ProposeOutcome {
  return { ok: false, reason };
}
