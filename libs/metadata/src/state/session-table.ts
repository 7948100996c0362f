import type { SessionLimits } from './limits.js';
import type { SessionCall } from './types.js';

/** What a kept answer counts beside its bytes. */
const ANSWER_OVERHEAD_BYTES = 64;

function costOf(answer: Uint8Array): number {
  return answer.length + ANSWER_OVERHEAD_BYTES;
}

export interface SessionState {
  readonly id: bigint;
  /** Place in the log of its last command. */
  usedAt: number;
  /** Answers of sequences below are forgotten. */
  answered: number;
  /** Encoded, by sequence; empty for one that was too large to keep. */
  readonly answers: Map<number, Uint8Array>;
}

/** What is known of a call: it is `new`; or the answer that was given; or why it is not done. */
export type Recall =
  | { readonly kind: 'new' }
  | { readonly kind: 'answered'; readonly answer: Uint8Array }
  | {
      readonly kind: 'refused';
      readonly refusal: 'session-not-found' | 'answer-forgotten' | 'session-full';
    };

/**
 * Remembers the answers of commands so that a retried one is not done again (Raft thesis §6.3).
 * Bounded: sessions end by the number and order of commands alone, alike on every member.
 */
export class SessionTable {
  /** The least recently used first. */
  readonly #sessions = new Map<bigint, SessionState>();
  #answerBytes = 0;

  constructor(private readonly limits: SessionLimits) {}

  get size(): number {
    return this.#sessions.size;
  }

  has(id: bigint): boolean {
    return this.#sessions.has(id);
  }

  /** In the order of their last use. */
  list(): Iterable<SessionState> {
    return this.#sessions.values();
  }

  open(id: bigint, index: number): void {
    this.restore({ id, usedAt: index, answered: 0, answers: new Map() });
    this.#shrink();
  }

  /** Adds a session that was used later than all others. */
  restore(session: SessionState): void {
    this.#sessions.set(session.id, session);
    for (const answer of session.answers.values()) this.#answerBytes += costOf(answer);
  }

  close(id: bigint): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    for (const answer of session.answers.values()) this.#answerBytes -= costOf(answer);
    this.#sessions.delete(id);
  }

  /** Ends sessions that were idle for too long. To be called with every place in the log. */
  expire(index: number): void {
    for (const { id, usedAt } of this.#sessions.values()) {
      if (index - usedAt <= this.limits.idleEntries) return;
      this.close(id);
    }
  }

  recall({ id, sequence, answered }: SessionCall, index: number): Recall {
    const session = this.#sessions.get(id);
    if (session === undefined) return { kind: 'refused', refusal: 'session-not-found' };
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    session.usedAt = index;
    this.#forget(session, Math.min(answered, sequence));
    if (sequence < session.answered) return { kind: 'refused', refusal: 'answer-forgotten' };
    const answer = session.answers.get(sequence);
    if (answer !== undefined) {
      return answer.length === 0
        ? { kind: 'refused', refusal: 'answer-forgotten' }
        : { kind: 'answered', answer };
    }
    const full = session.answers.size >= this.limits.window;
    return full ? { kind: 'refused', refusal: 'session-full' } : { kind: 'new' };
  }

  /** Keeps the encoded answer of a call that was new; null: it is larger than `answerBytes`. */
  keep({ id, sequence }: SessionCall, answer: Uint8Array | null): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    const kept = answer ?? new Uint8Array(0);
    session.answers.set(sequence, kept);
    this.#answerBytes += costOf(kept);
    this.#shrink();
  }

  #forget(session: SessionState, answered: number): void {
    if (answered <= session.answered) return;
    session.answered = answered;
    for (const [sequence, answer] of session.answers) {
      if (sequence >= answered) continue;
      session.answers.delete(sequence);
      this.#answerBytes -= costOf(answer);
    }
  }

  #shrink(): void {
    const { count, totalBytes } = this.limits;
    for (const id of this.#sessions.keys()) {
      if (this.#sessions.size <= count && this.#answerBytes <= totalBytes) return;
      this.close(id);
    }
  }
}
