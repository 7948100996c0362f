import { status } from '@grpc/grpc-js';
import type { ServerUnaryCall } from '@grpc/grpc-js';
import type { AnswerSize } from './answer-size.js';
import type { EtcdLimits } from './limits.js';
import { StatusError, refused } from './status-error.js';

/**
 * Answers up to so large are not counted: the bound of calls bounds them, and whoever leaves large
 * ones untaken does not keep others from what is small.
 */
const SMALL_BYTES = 8 * 1024;
const MiB = 1024 * 1024;

/** Bounds what answers take, one alone and all that were made and have not left. */
export class AnswerBudget {
  #outstanding = 0;

  constructor(private readonly limits: EtcdLimits) {}

  /** Counts an answer until the call is over, or throws what is answered instead of it. */
  take(call: ServerUnaryCall<unknown, unknown>, { bytes, wrote }: AnswerSize): void {
    if (bytes <= SMALL_BYTES || call.cancelled) return;
    const { answerBytes, answersBytes } = this.limits;
    if (bytes > answerBytes) throw tooLarge(answerBytes, wrote);
    if (this.#outstanding + bytes > answersBytes) {
      throw wrote ? untold('too many answers wait to be taken') : refused('too-many-requests');
    }
    this.#outstanding += bytes;
    /* Emitted once in any case: when all of it has left, or when the stream broke. */
    call.once('cancelled', () => (this.#outstanding -= bytes));
  }
}

function tooLarge(most: number, wrote: boolean): StatusError {
  const what = `its answer is larger than ${Math.floor(most / MiB)} MiB`;
  if (wrote) return untold(what);
  return new StatusError(
    status.RESOURCE_EXHAUSTED,
    `etcdserver: ${what}: ask for less with limit, keys_only or count_only`,
  );
}

function untold(why: string): StatusError {
  return new StatusError(
    status.RESOURCE_EXHAUSTED,
    `etcdserver: the request was done, but not answered: ${why}`,
  );
}
