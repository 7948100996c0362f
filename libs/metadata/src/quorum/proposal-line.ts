import type { LogOutcome, ReplicatedLog } from './replicated-log.port.js';
import type { StatusBoard } from './status-board.js';

/** A command on its way into the log. */
export interface Proposal {
  readonly bytes: Uint8Array;
  /** Called once: what the leader said, or `unknown` when that did not come back. */
  answered(outcome: LogOutcome | 'unknown'): void;
}

/** Asks the leader to take commands; one outcome each, in their order. */
export type AskToPropose = (
  leader: string,
  commands: readonly Uint8Array[],
) => Promise<readonly LogOutcome[]>;

/**
 * Requests under way to the leader: what comes in meanwhile travels together with the next. A second
 * one keeps the line busy while the first is answered.
 */
const REQUESTS = 2;
const BATCH_COMMANDS = 512;
const BATCH_BYTES = 512 * 1024;
const NOT_LEADER: LogOutcome = { ok: false, reason: 'not-leader' };

/** Whether a request surely did nothing. */
function isUndone(error: unknown): boolean {
  const outcome = (error as { readonly outcome?: unknown } | null)?.outcome;
  return outcome === 'unsent' || outcome === 'refused';
}

/** Brings commands to the leader: at once where that is this node, else many with one request. */
export class ProposalLine {
  readonly #log: Pick<ReplicatedLog, 'propose'>;
  readonly #board: StatusBoard;
  readonly #ask: AskToPropose;
  readonly #underWay = new Set<readonly Proposal[]>();
  #waiting: Proposal[] = [];

  constructor(options: {
    readonly log: Pick<ReplicatedLog, 'propose'>;
    readonly board: StatusBoard;
    readonly ask: AskToPropose;
  }) {
    this.#log = options.log;
    this.#board = options.board;
    this.#ask = options.ask;
  }

  offer(proposal: Proposal): void {
    const { leader, nodeId } = this.#board.status;
    if (leader === null) proposal.answered(NOT_LEADER);
    else if (leader === nodeId) proposal.answered(this.#log.propose(proposal.bytes));
    else {
      this.#waiting.push(proposal);
      this.#pump();
    }
  }

  /** Another node leads, or none: nobody knows what became of what is under way. */
  leaderChanged(): void {
    const [lost, waiting] = [[...this.#underWay].flat(), this.#waiting];
    this.#underWay.clear();
    this.#waiting = [];
    for (const proposal of lost) proposal.answered('unknown');
    for (const proposal of waiting) proposal.answered(NOT_LEADER);
  }

  #pump(): void {
    const { leader } = this.#board.status;
    while (leader !== null && this.#waiting.length > 0 && this.#underWay.size < REQUESTS) {
      const batch = this.#waiting.splice(0, this.#batchLength());
      this.#underWay.add(batch);
      const commands = batch.map(({ bytes }) => bytes);
      this.#ask(leader, commands).then(
        (outcomes) => this.#answer(batch, outcomes),
        (error: unknown) => this.#answer(batch, isUndone(error) ? batch.map(() => NOT_LEADER) : []),
      );
    }
  }

  #batchLength(): number {
    let [length, bytes] = [0, 0];
    for (const proposal of this.#waiting) {
      bytes += proposal.bytes.length;
      if (length > 0 && (length === BATCH_COMMANDS || bytes > BATCH_BYTES)) break;
      length += 1;
    }
    return length;
  }

  #answer(batch: readonly Proposal[], outcomes: readonly LogOutcome[]): void {
    if (!this.#underWay.delete(batch)) return;
    batch.forEach((proposal, at) => proposal.answered(outcomes[at] ?? 'unknown'));
    this.#pump();
  }
}
