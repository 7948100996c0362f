import type { Rng } from '@pawl/kernel';
import type { HistoryRequest, LeaseLife } from '../history/index.js';
import type { QuorumProcess, SimulatedQuorum } from '../simulated-quorum.js';
import type { AppliedLog } from './applied-log.js';
import type { Stall, UnrenewedLife } from './check-grace.js';
import type { LeaderMoment } from './leader-time.js';

/** What those who live in a simulated world see of it, and may do in it. */
export interface World {
  readonly quorum: SimulatedQuorum;
  readonly rng: Rng;
  readonly applied: AppliedLog;
  /** Every lease that was granted to somebody. */
  readonly held: { life(): LeaseLife; end(): UnrenewedLife | null }[];
  /** Whom most are to ask, while it runs; null: nobody more than others. */
  preferred: QuorumProcess | null;
  /** The faults have ended: nobody begins anything new. */
  readonly isOver: boolean;
  nowMs(): number;
  /** By the clocks of those who lead. */
  leaderTime(): LeaderMoment;
  later(delayMs: number, task: () => void): void;
  /** One that no other call writes. */
  newValue(): string;
  /** Counts that an interesting state was reached. */
  reached(what: string): void;
  /** A process is about to stand still, or its clock to jump ahead. */
  stalled(kind: Stall['kind']): void;
  /** The clock of a process runs as well as it did when it was started. */
  setRight(process: QuorumProcess): void;
  isRunning(process: QuorumProcess): boolean;
  /** Any, but mostly the preferred one; null when none runs. */
  pickProcess(): QuorumProcess | null;
  leader(): QuorumProcess | null;
  /** Ids that are neither members nor run. */
  spareIds(members: readonly string[]): string[];
  calmNetwork(): void;
  /** Starts a node that does not run, on the disk that it has. */
  restart(id: string): void;
  /** A node that was removed is ended, and its disk with it. */
  takeAway(id: string): void;
  /** Asks a node, any when none is given; `done` is called once, with what came of it. */
  ask<T>(
    question: (process: QuorumProcess) => Promise<T>,
    done: (answer: T | 'failed' | 'unknown') => void,
    through?: QuorumProcess,
  ): void;
  /** Has a request done, and keeps what came of it. */
  call(client: string, request: HistoryRequest, done: () => void): void;
}
