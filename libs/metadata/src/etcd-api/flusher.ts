/** Something that collects what it will write. */
export interface Flushable {
  /** Writes what there is; answers how many bytes. */
  flush(): number;
}

/** Written in one turn of the event loop: a few milliseconds, so that others are answered between. */
const BYTES_PER_TURN = 1024 * 1024;
/** What a write costs, however little it writes, in bytes that could be copied meanwhile. */
const WRITE_COST_BYTES = 16 * 1024;

/** Has streams write once for all that came together, and gives the event loop its turns. */
export class Flusher {
  readonly #waiting = new Set<Flushable>();
  #scheduled = false;

  /** Writes soon; asking again before that changes nothing. */
  schedule(stream: Flushable): void {
    this.#waiting.add(stream);
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(this.#run);
  }

  readonly #run = (): void => {
    let left = BYTES_PER_TURN;
    for (const stream of this.#waiting) {
      if (left <= 0) {
        setImmediate(this.#run);
        return;
      }
      this.#waiting.delete(stream);
      left -= WRITE_COST_BYTES + stream.flush();
    }
    this.#scheduled = false;
  };
}
