import type { AddressText, Outcome } from '@pawl/contracts';
import type { ConfigEngine } from '@pawl/engine';
import type { Rng } from '@pawl/kernel';
import type { Answers } from './answers.js';
import type { Histories } from './histories.js';
import type { Ledger } from './ledger.js';
import type { Violations } from './violations.js';

/** What those who live in a world of nodes see of it. */
export interface NodesWorldView {
  readonly rng: Rng;
  readonly judge: Violations;
  readonly ledger: Ledger;
  readonly histories: Histories;
  readonly answers: Answers;
  /** That writers write. */
  readonly addresses: readonly AddressText[];
  /** The one that most requests are about, for a while. */
  readonly hot: AddressText;
  /** Releases go in stages. */
  readonly isStaged: boolean;
  /** Nothing goes wrong: every request is served. */
  readonly isCalm: boolean;
  /** The faults have ended: nobody begins anything new. */
  readonly isOver: boolean;
  nowMs(): number;
  later(delayMs: number, task: () => void): void;
  sleep(ms: number): Promise<void>;
  /** Counts that an interesting state was reached. */
  reached(what: string): void;
  /** Keeps a line of what happened, for who looks for a cause. */
  note(line: string): void;
  /** Asks some node; `done` is called when an answer comes back, which may be never. */
  ask<T>(
    question: (use: ConfigEngine) => Promise<Outcome<T>>,
    done: (answer: Outcome<T> | 'unknown') => void,
  ): void;
}
