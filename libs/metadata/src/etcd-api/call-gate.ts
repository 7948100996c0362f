import type { Metadata, handleUnaryCall } from '@grpc/grpc-js';
import { AnswerBudget } from './answer-budget.js';
import type { AnswerSize } from './answer-size.js';
import type { ApiContext } from './api-context.js';
import { refused } from './status-error.js';

/** Lets calls in as long as there are not too many and the server is not closing. */
export class CallGate {
  #calls = 0;
  #closing = false;
  readonly #answers: AnswerBudget;

  constructor(private readonly context: ApiContext) {
    this.#answers = new AnswerBudget(context.limits);
  }

  /** Refuses what comes from now on; what is under way goes on. */
  close(): void {
    this.#closing = true;
  }

  /**
   * Makes a handler of gRPC of a function that answers, or throws what is answered instead. `size`
   * left out: the answer is always small.
   */
  unary<Request, Response>(
    answer: (request: Request, metadata: Metadata) => Promise<Response>,
    size?: (response: Response) => AnswerSize,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      const { request, metadata } = call;
      this.run(metadata, () => answer(request, metadata))
        .then((response) => {
          if (size !== undefined) this.#answers.take(call, size(response));
          callback(null, response);
        })
        .catch((error: unknown) => callback(this.context.toStatus(error)));
    };
  }

  /** Throws what a new call is refused with. */
  check(metadata: Metadata): void {
    if (this.#closing) throw refused('stopped');
    if (requiresLeader(metadata) && this.context.node.nodeStatus().leader === null) {
      throw refused('no-leader');
    }
  }

  /** Runs a call that counts as one until it is over. */
  async run<Response>(metadata: Metadata, answer: () => Promise<Response>): Promise<Response> {
    this.check(metadata);
    if (this.#calls >= this.context.limits.calls) throw refused('too-many-requests');
    this.#calls += 1;
    try {
      return await answer();
    } finally {
      this.#calls -= 1;
    }
  }
}

/** What etcd's clients send with `WithRequireLeader`. */
export function requiresLeader(metadata: Metadata): boolean {
  return metadata.get('hasleader')[0] === 'true';
}
