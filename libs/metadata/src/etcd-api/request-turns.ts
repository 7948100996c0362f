/** Something that stopped taking requests until it is its turn. */
export interface Waiting {
  /** Its turn has come: it may take requests again. */
  goOn(): void;
}

/** Taken in one turn of the event loop, on all streams: a few milliseconds' work. */
const REQUESTS_PER_TURN = 128;
/** Streams that go on in one turn; each takes one request at least. */
const STREAMS_PER_TURN = 16;

/**
 * Spreads requests that come faster than they are dealt with over turns of the event loop, so that
 * the node answers others, and its peers, between: a client may open 50,000 watches at once.
 */
export class RequestTurns {
  readonly #waiting = new Set<Waiting>();
  #left = REQUESTS_PER_TURN;
  #scheduled = false;

  /** Counts a request; where it was the last of this turn, the stream waits for another. */
  taken(stream: Waiting): void {
    this.#left -= 1;
    if (this.#left <= 0) this.#waiting.add(stream);
    this.#schedule();
  }

  /** Whether a stream is to take no request until {@link Waiting.goOn}. */
  waits(stream: Waiting): boolean {
    return this.#waiting.has(stream);
  }

  forget(stream: Waiting): void {
    this.#waiting.delete(stream);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#left = REQUESTS_PER_TURN;
    let streams = STREAMS_PER_TURN;
    for (const stream of this.#waiting) {
      if (streams === 0) break;
      streams -= 1;
      this.#waiting.delete(stream);
      stream.goOn();
    }
    if (this.#waiting.size > 0) this.#schedule();
  };
}
