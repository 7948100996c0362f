import type { Clock, Timer } from '@pawl/kernel';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import {
  COMMAND_FORMAT,
  DEFAULT_STATE_LIMITS,
  MetadataState,
  decodeCommand,
} from '../state/index.js';
import type {
  Command,
  CommandBody,
  CommandPlace,
  CommandResult,
  StateLimits,
} from '../state/index.js';
import { WatchHub } from '../watch/watch-hub.js';
import { LeaderLine } from './leader-line.js';
import type { LeaderQuestion } from './leader-line.js';
import { LeaseRenewals } from './lease-renewals.js';
import { Leadership } from './leadership.js';
import { MemberChanges } from './member-changes.js';
import { MemberDirectory } from './member-directory.js';
import type { OwnDetails } from './member-directory.js';
import { decodeAnswer, decodeRequest, encodeAnswer, encodeRequest } from './peer-codec.js';
import type { PeerAnswer, PeerRequest } from './peer-codec.js';
import { ProposalLine } from './proposal-line.js';
import { DEFAULT_QUORUM_SETTINGS } from './quorum-settings.js';
import type { QuorumSettings } from './quorum-settings.js';
import type {
  LogEvents,
  LogMachine,
  LogOutcome,
  LogStatus,
  ReplicatedLog,
} from './replicated-log.port.js';
import { Scavenger } from './scavenger.js';
import { SessionCalls } from './session-calls.js';
import { SharedBarrier } from './shared-barrier.js';
import { StatusBoard } from './status-board.js';

export interface QuorumHostOptions {
  readonly clock: Clock;
  readonly timer: Timer;
  /** A random number of 64 bits with a sign, which nobody else uses. */
  readonly newId: () => bigint;
  readonly limits?: Partial<StateLimits>;
  readonly settings?: Partial<QuorumSettings>;
  /** What this node says of itself, once its log is open. */
  readonly details: () => OwnDetails;
  /** Where members are found that have no record yet: `host:port` by id. */
  readonly startList: ReadonlyMap<string, string>;
  /** Called once if the node stops by itself, for good. */
  readonly onFailure?: (error: Error) => void;
  /** One line for people; may come often. */
  readonly onProblem?: (text: string) => void;
  /** Runs a task after the event loop had its turn; left out: `setImmediate`. */
  readonly defer?: (task: () => void) => void;
}

export type OpenLog = (machine: LogMachine, events: LogEvents) => Promise<ReplicatedLog>;

/** The log's requests are refused a little before whoever asked gives up. */
const ASK_MS = 2000;
const NOT_LEADER: PeerAnswer = { kind: 'not-leader' };

/**
 * A node's replicated state and all that works on it: what is applied goes to those who wait for it,
 * what is asked goes to the leader, and where this node leads, the leader's duties are done.
 */
export class QuorumHost {
  readonly state: MetadataState;
  readonly log: ReplicatedLog;
  readonly limits: StateLimits;
  readonly settings: QuorumSettings;
  readonly board: StatusBoard;
  readonly barrier: SharedBarrier;
  readonly ownCalls: SessionCalls;
  readonly userCalls: SessionCalls;
  readonly ownWatches: WatchHub;
  readonly userWatches: WatchHub;
  readonly line: LeaderLine;
  readonly renewals: LeaseRenewals;
  readonly changes: MemberChanges;
  readonly directory: MemberDirectory;
  readonly scavenger: Scavenger;
  readonly #options: QuorumHostOptions;
  readonly #proposals: ProposalLine;
  #leadership: Leadership | null = null;
  #stopped: string | null = null;

  private constructor(log: ReplicatedLog, state: MetadataState, options: QuorumHostOptions) {
    this.#options = options;
    this.log = log;
    this.state = state;
    this.limits = { ...DEFAULT_STATE_LIMITS, ...options.limits };
    this.settings = { ...DEFAULT_QUORUM_SETTINGS, ...options.settings };
    const { settings } = this;
    const { callTimeoutMs: timeoutMs, membershipMs: everyMs } = settings;
    const { timer, clock, startList, defer } = options;
    const details = options.details();
    const board = (this.board = new StatusBoard(log.status(), timer));
    this.barrier = new SharedBarrier(log, timeoutMs);
    this.#proposals = new ProposalLine({
      log,
      board,
      ask: (leader, commands) => this.#askToPropose(leader, commands),
    });
    this.ownCalls = this.#newCalls();
    this.userCalls = this.#newCalls();
    const deferring = defer === undefined ? {} : { defer };
    this.ownWatches = new WatchHub(state, { maxWatches: settings.maxOwnWatches, ...deferring });
    this.userWatches = new WatchHub(state, { maxWatches: settings.maxUserWatches, ...deferring });
    const serve = (question: LeaderQuestion): Promise<PeerAnswer> => this.#serveAsLeader(question);
    const line = (this.line = new LeaderLine({ clock, timer, log, board, timeoutMs, serve }));
    this.renewals = new LeaseRenewals(async (ids) => {
      return (await line.ask({ kind: 'renew', ids }, 'unknown')).ttls;
    });
    this.scavenger = new Scavenger(state, timer);
    const submit = (command: CommandBody) => this.ownCalls.call(command);
    const { clusterId } = log.identity;
    this.changes = new MemberChanges({ clusterId, state, board, line, submit, timeoutMs });
    const onRemoved = (error: Error): void => this.#fail(error);
    const directory = { timer, log, state, board, everyMs, details, startList, submit, onRemoved };
    this.directory = new MemberDirectory(directory);
    this.#followStatus(log.status());
  }

  static async open(openLog: OpenLog, options: QuorumHostOptions): Promise<QuorumHost> {
    const state = new MetadataState({ ...DEFAULT_STATE_LIMITS, ...options.limits });
    /* What was committed before is applied while the log opens: nobody waits for it. */
    let host: QuorumHost | null = null;
    const machine: LogMachine = {
      apply: (bytes, place) => apply(state, bytes, place, host),
      snapshot: () => state.snapshotChunks(),
      *restore(bytes) {
        yield* state.restoreSteps(bytes);
        host?.restored();
      },
    };
    const log = await openLog(machine, {
      onStatus: (status) => host?.onStatus(status),
      onRequest: (from, body) => host?.onRequest(from, body) ?? Promise.reject(starting()),
      onFailure: (error) => host?.onFailure(error),
      onProblem: (text) => options.onProblem?.(text),
    });
    host = new QuorumHost(log, state, options);
    return host;
  }

  /** Resolves once this node does a leader's duties, if it leads now. */
  async ready(): Promise<void> {
    await this.#leadership?.begun;
  }

  /** Why this node takes no calls any more; null while it does. */
  get stopped(): string | null {
    return this.#stopped;
  }

  /** Ends what waits, hands leadership over if it can, closes the log. */
  async stop(): Promise<void> {
    this.#stopped ??= 'the node was stopped';
    this.directory.stop();
    this.scavenger.stop();
    try {
      await this.log.stop();
    } finally {
      this.#end(this.#stopped);
    }
  }

  /** A command was applied on this node. */
  applied(command: Command, result: CommandResult, place: CommandPlace): void {
    this.ownCalls.applied(command, result);
    this.userCalls.applied(command, result);
    this.#leadership?.applied(command, result, place);
    if (command.kind === 'compact') this.scavenger.wake();
    if (command.kind === 'member-put' || command.kind === 'member-remove') this.directory.update();
  }

  /** A command is about to be applied on this node. */
  applying(command: Command): void {
    if (command.kind === 'compact') this.#readAhead();
  }

  /** A snapshot took the place of the state. */
  restored(): void {
    this.directory.update();
  }

  onStatus(status: LogStatus): void {
    const before = this.board.status;
    this.board.set(status);
    this.#readAhead();
    const led = before.leader === status.leader && before.term === status.term;
    if (!led || before.role !== status.role) this.#followStatus(status);
    if (!led || before.configuration !== status.configuration) this.directory.update();
  }

  async onRequest(from: string | null, body: Uint8Array): Promise<Uint8Array> {
    const request = decodeRequest(body);
    if (from === null && request.kind !== 'members') {
      throw new RangeError(`only a member may ask for ${request.kind}`);
    }
    return encodeAnswer(await this.#serve(request));
  }

  onFailure(error: Error): void {
    this.#stopped ??= error.message;
    this.directory.stop();
    this.scavenger.stop();
    this.#end(error.message);
    this.#options.onFailure?.(error);
  }

  #readAhead(): void {
    this.ownWatches.applied();
    this.userWatches.applied();
  }

  #newCalls(): SessionCalls {
    const { clock, timer, newId } = this.#options;
    const { callTimeoutMs: timeoutMs, maxCalls } = this.settings;
    const { window } = this.limits.sessions;
    const maxBytes = this.limits.requestBytes;
    const tooLarge = (): CommandResult => {
      return { kind: 'refused', refusal: 'too-large', revision: this.state.revision };
    };
    const bounds = { timeoutMs, maxCalls, maxBytes, tooLarge, window };
    const appliedIndex = (): number => this.state.appliedIndex;
    const line = this.#proposals;
    return new SessionCalls({ clock, timer, newId, line, appliedIndex, ...bounds });
  }

  #followStatus(status: LogStatus): void {
    this.#lead(status);
    this.#proposals.leaderChanged();
    this.line.leaderChanged();
    this.ownCalls.leaderChanged(status);
    this.userCalls.leaderChanged(status);
  }

  #lead({ role, term }: LogStatus): void {
    const leads = role === 'leader' && this.#stopped === null;
    if (leads && this.#leadership?.term === term) return;
    this.#leadership?.end();
    this.#leadership = null;
    if (!leads) return;
    const { clock, timer, startList } = this.#options;
    const { log, state, settings } = this;
    const addressOf = (id: string): string => startList.get(id) ?? '';
    this.#leadership = new Leadership({ clock, timer, log, state, settings, term, addressOf });
  }

  async #askToPropose(
    leader: string,
    commands: readonly Uint8Array[],
  ): Promise<readonly LogOutcome[]> {
    const body = encodeRequest({ kind: 'propose', commands });
    const answer = decodeAnswer(await this.log.request(leader, body, ASK_MS));
    if (answer.kind === 'propose') return answer.outcomes;
    return commands.map(() => ({ ok: false, reason: 'not-leader' }));
  }

  async #serve(request: PeerRequest): Promise<PeerAnswer> {
    switch (request.kind) {
      case 'members':
        return { kind: 'members', ...this.directory.exchange(request) };
      case 'propose': {
        if (request.commands.some((command) => command[0] !== COMMAND_FORMAT)) {
          throw new RangeError(`commands must be of format ${COMMAND_FORMAT}`);
        }
        const outcomes = request.commands.map((command) => this.log.propose(command));
        return { kind: 'propose', outcomes };
      }
      default:
        return this.#serveAsLeader(request);
    }
  }

  async #serveAsLeader(question: LeaderQuestion): Promise<PeerAnswer> {
    const leadership = this.#leadership;
    if (leadership === null) return NOT_LEADER;
    await Promise.all([leadership.begun, this.barrier.pass()]);
    if (leadership.ended) return NOT_LEADER;
    switch (question.kind) {
      case 'renew':
        return { kind: 'renew', ttls: await leadership.renew(question.ids) };
      case 'lease-time':
        return { kind: 'lease-time', remainingMs: await leadership.remainingMs(question.id) };
      case 'may-change': {
        const refusal = leadership.mayChange(question.question, question.id);
        return { kind: 'may-change', refusal };
      }
    }
  }

  /** The node must not go on, whatever its log does. */
  #fail(error: Error): void {
    if (this.#stopped !== null) return;
    this.#stopped = error.message;
    this.scavenger.stop();
    this.#end(error.message);
    this.log.stop().catch(() => undefined);
    this.#options.onFailure?.(error);
  }

  #end(why: string): void {
    this.#leadership?.end();
    this.#leadership = null;
    this.ownCalls.stop(why);
    this.userCalls.stop(why);
    this.board.close();
    this.line.leaderChanged();
    const error = new MetadataUnavailableError(why, 'no');
    this.ownWatches.fail(error);
    this.userWatches.fail(error);
  }
}

function apply(
  state: MetadataState,
  bytes: Uint8Array,
  place: CommandPlace,
  host: QuorumHost | null,
): void {
  let command: Command;
  try {
    command = decodeCommand(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    state.applyEncoded(bytes, place);
    return;
  }
  host?.applying(command);
  const result = state.apply(command, place);
  host?.applied(command, result, place);
}

function starting(): Error {
  return new Error('the node is starting');
}
