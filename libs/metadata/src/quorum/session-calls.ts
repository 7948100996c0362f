import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { encodeCommand } from '../state/index.js';
import type { Command, CommandBody, CommandResult } from '../state/index.js';
import type { ProposalLine } from './proposal-line.js';
import type { LogOutcome, LogStatus } from './replicated-log.port.js';

/** How often calls that no leader has taken are offered again, and deadlines are looked at. */
const SWEEP_MS = 100;

export interface SessionCallsOptions {
  readonly clock: Clock;
  readonly timer: Timer;
  readonly line: ProposalLine;
  /** A random number of 64 bits with a sign, which nobody else uses. */
  readonly newId: () => bigint;
  readonly timeoutMs: number;
  /** Calls that wait for their answer, or for their turn; more are refused. */
  readonly maxCalls: number;
  /** Of the last command that was applied on this node. */
  readonly appliedIndex: () => number;
  /** Of one command; a larger one gets the answer that `tooLarge` makes. */
  readonly maxBytes: number;
  readonly tooLarge: () => CommandResult;
  /** Calls of one session under way at once: what the state keeps answers of. */
  readonly window: number;
}

interface Session {
  readonly id: bigint;
  /** Under way, by sequence, the lowest first. */
  readonly calls: Map<number, Call>;
  next: number;
}

class Call {
  /** Its place, once it has one. */
  session: Session | null = null;
  sequence = 0;
  bytes: Uint8Array | null = null;
  /** How often it may be in the log. */
  attempts = 0;
  /** Of the leader that took it last; null while none has, as far as is known. */
  term: number | null = null;
  index = 0;
  /** Offered, and not answered yet. */
  offered = false;

  constructor(
    readonly body: CommandBody,
    readonly deadlineMs: number,
    readonly resolve: (result: CommandResult) => void,
    readonly reject: (error: Error) => void,
  ) {}
}

/**
 * Has commands done once each, through whichever node leads. They belong to a session, which the
 * state remembers: one whose outcome is not known is proposed again, after a change of the leader or
 * a lost request, until its deadline, and is not done twice. A call is answered when its command is
 * applied on this node.
 */
export class SessionCalls {
  readonly #options: SessionCallsOptions;
  /** Wait for a session, or for room in it. */
  readonly #queue = new Set<Call>();
  readonly #sessions = new Map<bigint, Session>();
  #current: Session | null = null;
  #opening: { readonly opener: bigint; readonly call: Call } | null = null;
  #underWay = 0;
  #term = 0;
  #sweep: TimerHandle | null = null;
  #stopped: string | null = null;

  constructor(options: SessionCallsOptions) {
    this.#options = options;
  }

  /**
   * Resolves with what applying the command gave. Rejects with a {@link MetadataUnavailableError}
   * that says whether it may have been done, or be done later.
   */
  call(body: CommandBody): Promise<CommandResult> {
    if (this.#stopped !== null) return Promise.reject(unavailable(this.#stopped, 'no'));
    if (this.#queue.size + this.#underWay >= this.#options.maxCalls) {
      return Promise.reject(unavailable('too many calls wait for the quorum', 'no'));
    }
    return new Promise((resolve, reject) => {
      const deadlineMs = this.#now + this.#options.timeoutMs;
      this.#queue.add(new Call(body, deadlineMs, resolve, reject));
      this.#fill();
      this.#sweepLater();
    });
  }

  /** To be told of every command that is applied on this node. */
  applied(command: Command, result: CommandResult): void {
    if (command.kind === 'session-open') {
      if (result.kind === 'session') this.#opened(command.opener, result.id);
      return;
    }
    if (command.session === undefined) return;
    const session = this.#sessions.get(command.session.id);
    const call = session?.calls.get(command.session.sequence);
    if (session === undefined || call === undefined) return;
    this.#leave(call);
    this.#answer(session, call, result);
    this.#fill();
  }

  /** To be told when leader or term changed: what another leader took may be lost. */
  leaderChanged({ leader, term }: LogStatus): void {
    this.#term = term;
    if (leader !== null) this.#offerAgain(({ term: taken }) => taken === null || taken < term);
  }

  /** Ends all calls. */
  stop(why: string): void {
    this.#stopped = why;
    this.#sweep?.cancel();
    for (const call of this.#queue) call.reject(unavailable(why, 'no'));
    this.#queue.clear();
    this.#opening = null;
    for (const session of this.#sessions.values()) {
      for (const call of session.calls.values()) this.#giveUp(call, why);
    }
    this.#sessions.clear();
    this.#underWay = 0;
  }

  get #now(): number {
    return this.#options.clock.monotonicMs();
  }

  /** Gives waiting calls a place in the session, as long as there is room. */
  #fill(): void {
    for (const call of this.#queue) {
      const session = this.#current;
      if (session === null) return this.#open();
      const [lowest = session.next] = session.calls.keys();
      if (session.next - lowest >= this.#options.window) return;
      this.#queue.delete(call);
      const place = { id: session.id, sequence: session.next, answered: lowest };
      call.bytes = encodeCommand({ session: place, ...call.body });
      if (call.bytes.length > this.#options.maxBytes) {
        call.resolve(this.#options.tooLarge());
        continue;
      }
      this.#underWay += 1;
      call.session = session;
      call.sequence = session.next;
      session.next += 1;
      session.calls.set(call.sequence, call);
      this.#offer(call);
    }
  }

  #open(): void {
    if (this.#opening !== null || this.#stopped !== null) return;
    const opener = this.#options.newId();
    const body = { kind: 'session-open', opener } as const;
    const call = new Call(body, Infinity, ignore, ignore);
    call.bytes = encodeCommand(body);
    this.#opening = { opener, call };
    this.#offer(call);
  }

  #opened(opener: bigint, id: bigint): void {
    if (this.#opening?.opener !== opener) return;
    this.#opening = null;
    this.#current = { id, calls: new Map(), next: 1 };
    this.#sessions.set(id, this.#current);
    this.#fill();
  }

  #leave({ session, sequence }: Call): void {
    if (session === null) return;
    if (session.calls.delete(sequence)) this.#underWay -= 1;
    if (session !== this.#current && session.calls.size === 0) this.#sessions.delete(session.id);
  }

  #answer(session: Session, call: Call, result: CommandResult): void {
    if (result.kind !== 'refused') return call.resolve(result);
    switch (result.refusal) {
      case 'session-not-found':
        if (this.#current === session) this.#current = null;
        if (call.attempts > 1) return this.#giveUp(call, 'its session has ended');
        /* What is still said of the first attempt does not concern the next. */
        this.#queue.add(new Call(call.body, call.deadlineMs, call.resolve, call.reject));
        return;
      case 'session-full':
        call.attempts -= 1;
        return this.#giveUp(call, 'too many answers of its session are outstanding');
      case 'answer-forgotten':
        return this.#giveUp(call, 'it was done, and its answer is not kept');
      default:
        call.resolve(result);
    }
  }

  #offer(call: Call): void {
    if (call.offered || call.bytes === null) return;
    call.offered = true;
    call.attempts += 1;
    call.term = null;
    this.#options.line.offer({
      bytes: call.bytes,
      answered: (outcome) => this.#offeredTo(call, outcome),
    });
  }

  #offeredTo(call: Call, outcome: LogOutcome | 'unknown'): void {
    call.offered = false;
    if (outcome === 'unknown') return;
    if (outcome.ok) {
      call.term = outcome.term;
      call.index = outcome.index;
      /* Its leader may have been replaced while its answer travelled. */
      if (outcome.term < this.#term) call.term = null;
      return;
    }
    call.attempts -= 1;
    if (call.attempts > 0 || call === this.#opening?.call) return;
    switch (outcome.reason) {
      case 'overloaded':
      case 'too-much-uncommitted':
        return this.#refuse(call, `the leader refuses it: ${outcome.reason}`);
      case 'too-large':
        return this.#refuse(call, 'it is too large for the log');
      default:
    }
  }

  /** Ends a call that surely is not in the log. */
  #refuse(call: Call, why: string): void {
    this.#leave(call);
    this.#giveUp(call, why);
  }

  #giveUp(call: Call, why: string): void {
    call.reject(unavailable(why, call.attempts > 0 ? 'unknown' : 'no'));
  }

  #offerAgain(needed: (call: Call) => boolean): void {
    const opening = this.#opening?.call;
    if (opening !== undefined && needed(opening)) this.#offer(opening);
    for (const session of this.#sessions.values()) {
      for (const call of session.calls.values()) if (needed(call)) this.#offer(call);
    }
  }

  #sweepLater(): void {
    this.#sweep ??= this.#options.timer.after(SWEEP_MS, () => {
      this.#sweep = null;
      this.#expire();
      const appliedIndex = this.#options.appliedIndex();
      /* Where it was taken something else was applied, or a snapshot passed over it. */
      this.#offerAgain(({ term, index }) => term === null || index <= appliedIndex);
      if (this.#queue.size + this.#underWay > 0) this.#sweepLater();
    });
  }

  #expire(): void {
    const now = this.#now;
    for (const session of this.#sessions.values()) {
      for (const call of session.calls.values()) {
        if (call.deadlineMs > now) continue;
        this.#leave(call);
        this.#giveUp(call, 'the quorum has not answered in time');
      }
    }
    for (const call of this.#queue) {
      if (call.deadlineMs > now) continue;
      this.#queue.delete(call);
      this.#giveUp(call, 'the quorum has not answered in time');
    }
    this.#fill();
  }
}

function unavailable(why: string, done: 'no' | 'unknown'): MetadataUnavailableError {
  const what = done === 'no' ? 'nothing was done' : 'whether it was done is not known';
  return new MetadataUnavailableError(`${why}; ${what}`, done);
}

function ignore(): void {}
