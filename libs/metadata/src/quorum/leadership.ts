import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import { encodeCommand } from '../state/index.js';
import type {
  Command,
  CommandBody,
  CommandPlace,
  CommandResult,
  LeaseCheckpoint,
  LeaseId,
  MetadataState,
} from '../state/index.js';
import { AutoCompaction } from './auto-compaction.js';
import { LeaseKeeper } from './lease-keeper.js';
import { canLose, isThere, planMembership } from './plan-membership.js';
import type { MembershipStep } from './plan-membership.js';
import type { MemberQuestion } from './peer-codec.js';
import type { QuorumSettings } from './quorum-settings.js';
import type { ReplicatedLog } from './replicated-log.port.js';
import type { MemberRefusal } from '../coordination.port.js';

/** Entries by which a learner may lag for somebody to be told that it has caught up. */
const CAUGHT_UP = 1000;
const RETRY_MS = 100;

export interface LeadershipOptions {
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: ReplicatedLog;
  readonly state: MetadataState;
  readonly settings: QuorumSettings;
  readonly term: number;
  /** Where a member is found that has no record yet; empty when that is not known. */
  readonly addressOf: (id: string) => string;
}

interface AppliedWaiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** This node leads no more; another one may know. */
export class NotLeaderError extends Error {
  override readonly name = 'NotLeaderError';
}

/**
 * What this node does as the leader of one term, once all that earlier leaders committed is applied:
 * counts the time of leases, compacts, makes the configuration follow what is wanted of the members.
 * What it proposes carries its term or is the same whoever proposes it, so that a leader that has
 * been replaced without knowing does no harm.
 */
export class Leadership {
  readonly term: number;
  /** Resolves with whether this node came to lead. */
  readonly begun: Promise<boolean>;
  readonly #options: LeadershipOptions;
  /** Who wait for what they proposed, by index. */
  readonly #waiters = new Map<number, AppliedWaiter>();
  #keeper: LeaseKeeper | null = null;
  #compaction: AutoCompaction | null = null;
  #look: TimerHandle | null = null;
  #ended = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.term = options.term;
    this.begun = this.#begin();
  }

  get ended(): boolean {
    return this.#ended;
  }

  end(): void {
    this.#ended = true;
    this.#keeper?.stop();
    this.#compaction?.stop();
    this.#look?.cancel();
    const error = notLeader();
    for (const { reject } of this.#waiters.values()) reject(error);
    this.#waiters.clear();
  }

  /** To be told of every command that is applied while this lasts. */
  applied(command: Command, result: CommandResult, { index, term }: CommandPlace): void {
    const waiter = this.#waiters.get(index);
    if (waiter !== undefined) {
      this.#waiters.delete(index);
      if (term === this.term) waiter.resolve();
      else waiter.reject(notLeader());
    }
    if (command.kind === 'txn') this.#compaction?.applied();
    if (command.kind.startsWith('member-')) this.#lookSoon();
    if (this.#keeper !== null) countLeases(this.#keeper, this.#options.state, command, result);
  }

  /**
   * Renews leases; the caller has confirmed the quorum since it was asked. Answers the TTL of each,
   * null for one that has ended.
   */
  async renew(ids: readonly LeaseId[]): Promise<(number | null)[]> {
    return (await this.#counting()).renew(ids);
  }

  /** What is left of a lease; null: there is no such lease. */
  async remainingMs(id: LeaseId): Promise<number | null> {
    return (await this.#counting()).remainingMs(id);
  }

  /** Why a change of the membership is not possible now; null: it is. */
  mayChange(question: MemberQuestion, id: string): MemberRefusal | null {
    const { log, state, settings } = this.#options;
    const { configuration, lastIndex, nodeId } = log.status();
    const { voters } = configuration;
    switch (question) {
      case 'add': {
        const staying = state.members.filter(({ wanted }) => wanted !== 'removed');
        const learners = staying.filter((member) => !voters.includes(member.id));
        return learners.length >= settings.maxLearners ? 'too-many-learners' : null;
      }
      case 'remove': {
        if (!voters.includes(id)) return null;
        if (voters.length === 1) return 'last-voter';
        const view = { self: nodeId, configuration, progress: log.progress() };
        return canLose(view, id) ? null : 'unhealthy';
      }
      case 'promote': {
        if (voters.includes(id)) return 'not-a-learner';
        const progress = log.progress();
        const near = (progress.get(id)?.match ?? 0) + CAUGHT_UP >= lastIndex;
        return near && isThere(progress, id) ? null : 'not-caught-up';
      }
    }
  }

  async #begin(): Promise<boolean> {
    const { clock, timer, log, state, settings } = this.#options;
    while (!this.#ended) {
      try {
        await log.barrier(settings.callTimeoutMs);
      } catch {
        await new Promise<void>((resolve) => timer.after(RETRY_MS, resolve));
        continue;
      }
      if (this.#ended) break;
      const propose = {
        expire: (ids: readonly LeaseId[]) => this.#expire(ids),
        checkpoint: (leases: readonly LeaseCheckpoint[]) => this.#checkpoint(leases),
      };
      this.#keeper = new LeaseKeeper({ clock, timer, propose }, state.leases);
      const compact = (revision: number): boolean =>
        this.#propose({ kind: 'compact', revision }) !== null;
      const { compaction } = settings;
      this.#compaction = new AutoCompaction({ clock, timer, compaction, state, compact });
      this.#reconcile();
      return true;
    }
    return false;
  }

  async #counting(): Promise<LeaseKeeper> {
    await this.begun;
    if (this.#ended || this.#keeper === null) throw notLeader();
    return this.#keeper;
  }

  /** Null when it surely was not taken. */
  #propose(body: CommandBody): number | null {
    const outcome = this.#options.log.propose(encodeCommand(body));
    return outcome.ok && outcome.term === this.term ? outcome.index : null;
  }

  #expire(ids: readonly LeaseId[]): Promise<void> | null {
    const index = this.#propose({ kind: 'lease-expire', ids, term: this.term });
    return index === null ? null : this.#appliedAt(index).catch(() => undefined);
  }

  #checkpoint(leases: readonly LeaseCheckpoint[]): Promise<void> {
    const index = this.#propose({ kind: 'lease-checkpoint', leases, term: this.term });
    return index === null ? Promise.reject(notLeader()) : this.#appliedAt(index);
  }

  /** Rejects when something else is applied there, or this node leads no more. */
  #appliedAt(index: number): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.set(index, { resolve, reject }));
  }

  #lookSoon(): void {
    this.#look?.cancel();
    this.#look = this.#options.timer.after(0, () => this.#reconcile());
  }

  /** One step at a time; the next follows when this one is applied, or after a while. */
  #reconcile(): void {
    if (this.#ended || this.#keeper === null) return;
    const { log, state, timer, settings } = this.#options;
    const { nodeId, configuration } = log.status();
    const { members } = state;
    const progress = log.progress();
    const step = planMembership({ self: nodeId, members, configuration, progress });
    if (step !== null) this.#take(step);
    this.#look?.cancel();
    this.#look = timer.after(settings.membershipMs, () => this.#reconcile());
  }

  /** Refused or lost, it is planned again. */
  #take(step: MembershipStep): void {
    const { log, addressOf } = this.#options;
    switch (step.kind) {
      case 'record': {
        const wanted = log.status().configuration.voters.includes(step.id) ? 'voter' : 'learner';
        const { id } = step;
        const peerAddress = addressOf(id);
        this.#propose({ kind: 'member-put', expect: 'new', id, peerAddress, wanted });
        return;
      }
      case 'change':
        log.change(step.change);
        return;
      case 'transfer':
        log.transfer(step.to);
        return;
      case 'forget':
        this.#propose({ kind: 'member-remove', id: step.id });
    }
  }
}

/** An answer that is given again may speak of leases of which much has happened since. */
function countLeases(
  keeper: LeaseKeeper,
  state: MetadataState,
  command: Command,
  result: CommandResult,
): void {
  if (command.kind === 'lease-grant' && result.kind === 'lease') {
    const lease = state.lease(result.id);
    if (lease !== null) keeper.granted(lease);
  } else if (result.kind === 'done') {
    for (const id of result.ids) if (state.lease(id) === null) keeper.ended(id);
  }
}

function notLeader(): NotLeaderError {
  return new NotLeaderError('this node does not lead any more');
}
