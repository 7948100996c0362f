import { status } from '@grpc/grpc-js';
import type { handleUnaryCall } from '@grpc/grpc-js';
import type { ApiContext } from './api-context.js';
import type { CallGate } from './call-gate.js';
import { StatusError, refused } from './status-error.js';

/** What is waited on behalf of one call. */
export interface Waiting {
  /** Aborted with what the call ends with: its client gave it up, or the server closes. */
  readonly signal: AbortSignal;
  abort(reason: Error): void;
  /** It counts until this has come to an end too, which does not reject. */
  keep(rest: Promise<void>): void;
  /** It waits no more. */
  end(): void;
}

/** Of gRPC's calls. */
interface Cancellable {
  readonly cancelled: boolean;
  once(event: 'cancelled', listener: () => void): unknown;
  off(event: 'cancelled', listener: () => void): unknown;
}

/**
 * Calls that wait for other clients, as long as their own likes: at most so many, fewer than calls in
 * all, so that they keep nobody from reading and writing.
 */
export class WaitGate {
  readonly #waiting = new Set<AbortController>();
  readonly #closing = new AbortController();

  constructor(
    private readonly context: ApiContext,
    private readonly gate: CallGate,
  ) {}

  /** Aborted when the server closes. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Ends all that wait. */
  close(): void {
    const reason = refused('stopped');
    this.#closing.abort(reason);
    for (const one of this.#waiting) one.abort(reason);
  }

  /** As {@link CallGate.unary}, for answers that wait. */
  unary<Request, Response>(
    answer: (request: Request, waiting: Waiting) => Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      const wait = async (): Promise<Response> => {
        const waiting = this.begin(call);
        try {
          return await answer(call.request, waiting);
        } finally {
          waiting.end();
        }
      };
      this.gate.run(call.metadata, wait).then(
        (response) => callback(null, response),
        (error: unknown) => callback(this.context.toStatus(error)),
      );
    };
  }

  /** Throws where too many wait. */
  begin(call: Cancellable): Waiting {
    if (this.#waiting.size >= this.context.limits.waits) throw refused('too-many-requests');
    const controller = new AbortController();
    const cancelled = (): void => {
      controller.abort(new StatusError(status.CANCELLED, 'the client gave the call up'));
    };
    let rest = Promise.resolve();
    this.#waiting.add(controller);
    call.once('cancelled', cancelled);
    if (call.cancelled) cancelled();
    return {
      signal: controller.signal,
      abort: (reason) => controller.abort(reason),
      keep: (more) => {
        rest = more;
      },
      end: () => {
        void rest.then(() => this.#waiting.delete(controller));
        call.off('cancelled', cancelled);
      },
    };
  }
}
