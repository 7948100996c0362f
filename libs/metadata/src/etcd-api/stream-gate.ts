import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { TimerHandle } from '@pawl/kernel';
import type { ApiContext } from './api-context.js';
import { requiresLeader } from './call-gate.js';
import type { CallGate } from './call-gate.js';
import { refused } from './status-error.js';

/** A stream of a client that is served until it ends. */
export interface ApiStream {
  /** It is over: nothing may be written any more. */
  closed(): void;
  /** Ends it with this answer. */
  fail(error: Error): void;
}

/** How often it is looked whether somebody leads. */
const LOOKS = 3;

/** The streams that are open: those that ask for a leader are ended when there is none for a while. */
export class StreamGate {
  /** With whether it asks for a leader. */
  readonly #streams = new Map<ApiStream, boolean>();
  #timer: TimerHandle | null = null;
  #leaderless = 0;

  constructor(
    private readonly context: ApiContext,
    private readonly gate: CallGate,
  ) {
    this.#watchLeader();
  }

  /** `serve` may throw what the stream is refused with. */
  open<Q, A>(
    call: ServerDuplexStream<Q, A> | ServerWritableStream<Q, A>,
    serve: () => ApiStream,
  ): void {
    /* grpc-js answers with the error that is emitted first. */
    call.on('error', () => undefined);
    let stream: ApiStream;
    try {
      this.gate.check(call.metadata);
      stream = serve();
    } catch (error) {
      if ('resume' in call) call.resume();
      call.emit('error', this.context.toStatus(error));
      return;
    }
    this.#streams.set(stream, requiresLeader(call.metadata));
    const over = (): void => {
      if (this.#streams.delete(stream)) stream.closed();
    };
    call.on('cancelled', over);
    call.on('close', over);
    call.on('finish', over);
  }

  /** Ends all streams. */
  close(): void {
    this.#timer?.cancel();
    for (const stream of [...this.#streams.keys()]) stream.fail(refused('stopped'));
  }

  #watchLeader(): void {
    this.#timer = this.context.timer.after(this.context.limits.leaderlessMs / LOOKS, () => {
      this.#watchLeader();
      const leads = this.context.node.nodeStatus().leader !== null;
      this.#leaderless = leads ? 0 : this.#leaderless + 1;
      if (this.#leaderless < LOOKS) return;
      for (const [stream, asks] of [...this.#streams]) if (asks) stream.fail(refused('no-leader'));
    });
  }
}
