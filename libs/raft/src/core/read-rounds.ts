import type { LogIndex, NodeId } from './types.js';

export interface WaitingRead {
  readonly from: NodeId;
  readonly id: number;
}

export interface ConfirmedRead extends WaitingRead {
  readonly index: LogIndex;
}

/**
 * Reads that wait for a quorum to confirm the leader (ReadIndex, Raft thesis §6.4). All reads that
 * come while one round of heartbeats is out share the next one. An answer confirms its own round and
 * those before it, never a later one.
 */
export class ReadRounds {
  #round = 0;
  #unbegun: WaitingRead[] = [];
  #begun: {
    readonly round: number;
    readonly index: LogIndex;
    readonly reads: WaitingRead[];
  } | null = null;
  readonly #answers = new Map<NodeId, number>();

  /** Of the newest heartbeats. */
  get round(): number {
    return this.#round;
  }

  get waiting(): number {
    return this.#unbegun.length + (this.#begun?.reads.length ?? 0);
  }

  /** Answers false, and takes nothing, when `limit` reads wait. */
  add(read: WaitingRead, limit: number): boolean {
    if (this.waiting >= limit) return false;
    this.#unbegun.push(read);
    return true;
  }

  /** Begins a round for all reads that have none, unless one is out; they will see `commit`. */
  begin(commit: LogIndex): boolean {
    if (this.#begun !== null || this.#unbegun.length === 0) return false;
    this.#round += 1;
    this.#begun = { round: this.#round, index: commit, reads: this.#unbegun };
    this.#unbegun = [];
    return true;
  }

  answered(node: NodeId, round: number): void {
    this.#answers.set(node, Math.max(round, this.#answers.get(node) ?? 0));
  }

  hasAnswered(node: NodeId, round: number): boolean {
    return (this.#answers.get(node) ?? 0) >= round;
  }

  /** Takes out the reads of the round that is out, if it is confirmed. */
  take(confirmed: (round: number) => boolean): readonly ConfirmedRead[] {
    const begun = this.#begun;
    if (begun === null || !confirmed(begun.round)) return [];
    this.#begun = null;
    return begun.reads.map((read) => ({ index: begun.index, ...read }));
  }
}
