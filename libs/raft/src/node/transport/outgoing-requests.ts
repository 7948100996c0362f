import type { Timer, TimerHandle } from '@pawl/kernel';
import type { NodeId } from '../../core/index.js';
import { printable } from './protocol-error.js';
import { readResponse } from './request-codec.js';

/** Whether the other side may have done what it was asked. */
export type RequestOutcome =
  /** It was never asked. */
  | 'unsent'
  /** It answered with a failure. */
  | 'refused'
  /** It may have done it, may be doing it, or may never have heard of it. */
  | 'unknown';

/** Why a request has no answer. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  constructor(
    readonly outcome: RequestOutcome,
    message: string,
  ) {
    super(message);
  }
}

interface Pending {
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (error: RequestError) => void;
  readonly deadline: TimerHandle;
}

/** Requests to one peer that have no answer yet. */
export class OutgoingRequests {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(
    private readonly peer: NodeId,
    private readonly timer: Timer,
    private readonly limit: number,
  ) {}

  /** `send` takes the request along under a number, or says why it cannot. */
  begin(deadlineMs: number, send: (id: number) => string | null): Promise<Uint8Array> {
    const to = printable(this.peer);
    if (this.#pending.size >= this.limit) {
      return Promise.reject(new RequestError('unsent', `${this.limit} requests to ${to} wait`));
    }
    const id = (this.#lastId += 1);
    const problem = send(id);
    if (problem !== null) return Promise.reject(new RequestError('unsent', problem));
    return new Promise((resolve, reject) => {
      const deadline = this.timer.after(deadlineMs, () => {
        this.#pending.delete(id);
        reject(new RequestError('unknown', `${to} did not answer within ${deadlineMs} ms`));
      });
      this.#pending.set(id, { resolve, reject, deadline });
    });
  }

  /** Throws a {@link ProtocolError} for what is no response; one that nobody waits for is late. */
  answered(body: Buffer): void {
    const { id, ok, content } = readResponse(body);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.deadline.cancel();
    if (ok) pending.resolve(content);
    else pending.reject(new RequestError('refused', Buffer.from(content).toString('utf8')));
  }

  /** The connection is gone, and with it all answers. */
  lost(): void {
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const { deadline, reject } of lost) {
      deadline.cancel();
      reject(new RequestError('unknown', `the connection to ${printable(this.peer)} was lost`));
    }
  }
}
