import type { HistoryCall, HistoryOutcome, HistoryRequest } from '@pawl/metadata/testing/history';

/** Calls of all clients of one history, on the one monotonic clock of this process. */
export class Recorder {
  readonly calls: HistoryCall[] = [];
  private last = 0;

  async record(
    client: string,
    request: HistoryRequest,
    perform: (request: HistoryRequest) => Promise<HistoryOutcome>,
  ): Promise<HistoryOutcome> {
    this.last += 1;
    const id = this.last;
    const calledAt = performance.now();
    const outcome = await perform(request);
    this.calls.push({ id, client, request, calledAt, returnedAt: performance.now(), outcome });
    return outcome;
  }
}
