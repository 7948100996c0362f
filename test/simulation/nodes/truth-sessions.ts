import { OutcomeUnknownError, TruthUnavailableError } from '@pawl/engine';
import type { ProcessTime } from '../../../libs/metadata/src/testing/process-time.js';
import type { ServerSession, SimulatedPostgres } from './simulated-postgres.js';
import type { Wire } from './wire.js';

/** How long the answer to a statement is waited for: below the lease's TTL. */
export const STATEMENT_MS = 1_500;

/** The connection broke, or nobody answered in time: the statement may have been done. */
class AnswerLostError extends Error {
  override readonly name = 'AnswerLostError';
}

/** Where a transaction stands: its statement was answered, or the last one was sent. */
export type CommitStep = 'begin' | 'fence' | 'write' | 'commit' | 'committed';

/** What may go wrong on the way. */
export interface TruthFaults {
  /** Share of answers that are lost together with their connection. */
  lostAnswers: number;
  /** This node alone reaches PostgreSQL no more. */
  cut: boolean;
}

/** One node's sessions with PostgreSQL. */
export class TruthSessions {
  readonly faults: TruthFaults = { lostAnswers: 0, cut: false };
  /** Called when a transaction of this node reaches a step; says whether the process stands still now. */
  onStep: (step: CommitStep, what: string) => boolean = () => false;
  /** Called when an interesting state is reached. */
  reached: (what: string) => void = () => undefined;
  /** Sessions whose last answer was lost: the server may still be working for them. */
  readonly #lost = new Set<ServerSession>();
  readonly #open = new Set<ServerSession>();

  constructor(
    readonly server: SimulatedPostgres,
    private readonly wire: Wire,
    private readonly process: ProcessTime,
  ) {}

  open(): TruthSession {
    const session = this.server.open();
    this.#open.add(session);
    return new TruthSession(session, this);
  }

  /** A transaction has come so far; it goes on once the process does. */
  async step(step: CommitStep, what: string): Promise<void> {
    if (!this.onStep(step, what)) return;
    await new Promise<void>((goOn) => this.process.run(goOn));
  }

  /** The process is gone: the server notices that its connections broke. */
  gone(): void {
    for (const session of this.#open) {
      this.wire.carry(() => void this.server.hangUp(session));
    }
  }

  /**
   * Ends the sessions whose answers were lost, so that what they had not committed by then never will
   * be. Throws `TruthUnavailableError` when the server does not answer.
   */
  async endLost(): Promise<void> {
    const lost = [...this.#lost];
    if (lost.length === 0) return;
    await this.use((session) =>
      session.send(() => {
        for (const each of lost) this.server.end(each);
      }),
    );
    for (const each of lost) this.#lost.delete(each);
  }

  /** A session for some statements; what fails in them is unavailable, nothing was written. */
  async use<T>(work: (session: TruthSession) => Promise<T>): Promise<T> {
    const session = this.open();
    try {
      return await work(session);
    } catch (error) {
      throw asTruthError(error, false);
    } finally {
      session.close();
    }
  }

  /** What `statement` gives once it was sent, done and answered. */
  exchange<T>(
    session: ServerSession,
    statement: () => T | Promise<T>,
    deadlineMs: number,
  ): Promise<T> {
    const { process, server, wire } = this;
    return new Promise((resolve, reject) => {
      let over = false;
      const settle = (act: () => void): void => {
        if (over) return;
        over = true;
        late.cancel();
        act();
      };
      const lost = (): void => {
        this.#lost.add(session);
        reject(new AnswerLostError('no answer from PostgreSQL'));
      };
      const late = process.after(deadlineMs, () => settle(lost));
      const back = (act: () => void): void => {
        if (this.faults.cut) return;
        const breaks = wire.chance(this.faults.lostAnswers);
        if (breaks) server.end(session);
        wire.carry(() => process.run(() => settle(breaks ? lost : act)));
      };
      if (this.faults.cut) return;
      wire.carry(() => {
        server.serve(session, statement).then(
          (value) => back(() => resolve(value)),
          (error: Error) => back(() => reject(error)),
        );
      });
    });
  }

  /** The server hears that a client has gone; what it had open is rolled back then. */
  hangUp(session: ServerSession): void {
    this.#open.delete(session);
    if (this.faults.cut) return;
    this.wire.carry(() => void this.server.hangUp(session));
  }
}

/** One session: one statement at a time. */
export class TruthSession {
  constructor(
    readonly server: ServerSession,
    private readonly sessions: TruthSessions,
  ) {}

  send<T>(statement: () => T | Promise<T>, deadlineMs = STATEMENT_MS): Promise<T> {
    return this.sessions.exchange(this.server, statement, deadlineMs);
  }

  close(): void {
    this.sessions.hangUp(this.server);
  }
}

/** `committing`: COMMIT had been sent. Errors of ours, and what the tables refuse, stay as they are. */
export function asTruthError(error: unknown, committing: boolean): unknown {
  const { name, message } = error as Error;
  if (committing && (name === 'AnswerLostError' || name === 'SessionEndedError')) {
    return new OutcomeUnknownError(`the answer to a write was lost: ${message}`, { cause: error });
  }
  const broken = ['AnswerLostError', 'SessionEndedError', 'ConnectionRefusedError'];
  if (broken.includes(name)) {
    return new TruthUnavailableError(`PostgreSQL did not do it: ${message}`, { cause: error });
  }
  return error;
}
