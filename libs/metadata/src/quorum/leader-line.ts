import type { Clock, Timer } from '@pawl/kernel';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { decodeAnswer, encodeRequest } from './peer-codec.js';
import type { PeerAnswer, PeerRequest } from './peer-codec.js';
import type { ReplicatedLog } from './replicated-log.port.js';
import type { StatusBoard } from './status-board.js';

/** What the leader is asked that may be asked again. */
export type LeaderQuestion = Exclude<PeerRequest, { kind: 'propose' | 'members' }>;
type AnswerTo<Q extends LeaderQuestion> = Extract<PeerAnswer, { kind: Q['kind'] }>;

/** For one answer, before it is asked for again; and until then. */
const ATTEMPT_MS = 1000;
const RETRY_MS = 50;

export interface LeaderLineOptions {
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log: Pick<ReplicatedLog, 'request'>;
  readonly board: StatusBoard;
  readonly timeoutMs: number;
  /** Answers as the leader, where that is this node. */
  readonly serve: (question: LeaderQuestion) => Promise<PeerAnswer>;
}

/** Asks whichever node leads, until one answers. */
export class LeaderLine {
  readonly #options: LeaderLineOptions;
  readonly #underWay = new Set<() => void>();

  constructor(options: LeaderLineOptions) {
    this.#options = options;
  }

  /**
   * `done`: what is known of the question's effect when nobody answers in time and this rejects, with
   * a {@link MetadataUnavailableError}.
   */
  async ask<Q extends LeaderQuestion>(question: Q, done: 'no' | 'unknown'): Promise<AnswerTo<Q>> {
    const { clock, board, timeoutMs } = this.#options;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0 || board.closed) {
        throw new MetadataUnavailableError('no leader has answered in time', done);
      }
      const { leader } = board.status;
      if (leader === null) {
        await board.wait((status) => status.leader !== null, leftMs);
        continue;
      }
      const answer = await this.#attempt(leader, question, Math.min(leftMs, ATTEMPT_MS));
      if (answer?.kind === question.kind) return answer as AnswerTo<Q>;
      await board.wait((status) => status.leader !== leader, Math.min(leftMs, RETRY_MS));
    }
  }

  /** Another node leads, or none: nobody waits for the one before. */
  leaderChanged(): void {
    for (const giveUp of this.#underWay) giveUp();
    this.#underWay.clear();
  }

  /** Null: no answer. */
  #attempt(leader: string, question: LeaderQuestion, withinMs: number): Promise<PeerAnswer | null> {
    const { log, board, serve, timer } = this.#options;
    return new Promise((resolve) => {
      const finish = (answer: PeerAnswer | null): void => {
        this.#underWay.delete(giveUp);
        late.cancel();
        resolve(answer);
      };
      const giveUp = (): void => finish(null);
      const late = timer.after(withinMs, giveUp);
      this.#underWay.add(giveUp);
      const answering =
        leader === board.status.nodeId
          ? serve(question)
          : log.request(leader, encodeRequest(question), withinMs).then(decodeAnswer);
      answering.then(finish, giveUp);
    });
  }
}
