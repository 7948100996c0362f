import { SingleFile } from './single-file.js';

export interface BodyGateOptions {
  /** Bytes of bodies up to {@link LARGE_BODY_BYTES} that are held at once. */
  readonly smallBytes: number;
  /** Bytes of larger bodies that are held at once. */
  readonly largeBytes: number;
  /** How many large requests may wait for their turn, and how long; milliseconds. */
  readonly waiting: number;
  readonly waitMs: number;
}

/** Above this, what a request costs is its body: some milliseconds of computing, and memory. */
export const LARGE_BODY_BYTES = 64 * 1024;

/**
 * Small bodies are parsed as they come, into up to forty times their size; large ones wait as they
 * were sent, and one at a time is parsed. A turn takes a tenth of a second or so, and clients give up
 * after half a minute.
 */
export const BODY_GATE: BodyGateOptions = {
  smallBytes: 16 * 1024 * 1024,
  largeBytes: 64 * 1024 * 1024,
  waiting: 256,
  waitMs: 10_000,
};

/** Bounds what the bodies of all requests of this process take in memory and in computing. */
export class BodyGate {
  readonly #small: ByteBudget;
  readonly #large: ByteBudget;
  readonly #turns: SingleFile;

  constructor(
    private readonly options: BodyGateOptions = BODY_GATE,
    turns = new SingleFile(options),
  ) {
    this.#small = new ByteBudget(options.smallBytes);
    this.#large = new ByteBudget(options.largeBytes);
    this.#turns = turns;
  }

  /**
   * For what comes another way: budgets of its own, as large as these, and the same turns. What waits
   * here for other nodes must not keep out what those ask of this one, or two nodes could block each other.
   */
  beside(): BodyGate {
    return new BodyGate(this.options, this.#turns);
  }

  /** Bytes held now, small and large ones. */
  get heldBytes(): number {
    return this.#small.taken + this.#large.taken;
  }

  /**
   * Work on a body of so many characters that is done here after it was meant for another node, in its
   * turn. Rejects as the work does, or as `SingleFile.run`.
   */
  async inTurn<T>(length: number, work: () => Promise<T>): Promise<T> {
    return length > LARGE_BODY_BYTES ? this.#turns.run(work, new AbortController().signal) : work();
  }

  /** For one request that has a body; nothing is held yet. */
  hold(): BodyHold {
    const budgetFor = (bytes: number): ByteBudget =>
      bytes > LARGE_BODY_BYTES ? this.#large : this.#small;
    return new BodyHold(budgetFor, this.#turns);
  }
}

class ByteBudget {
  #taken = 0;

  constructor(private readonly limit: number) {}

  get taken(): number {
    return this.#taken;
  }

  /** Whether it was there. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.limit) return false;
    this.#taken += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#taken -= bytes;
  }
}

const noTurn = (): void => undefined;

/**
 * What one request holds of the gate. Given back when its work is done; or when its connection
 * closes, unless the work is under way then; or by {@link release}. Whichever comes first counts.
 */
export class BodyHold {
  #bytes = 0;
  #working = false;
  readonly #gone = new AbortController();

  constructor(
    private readonly budgetFor: (bytes: number) => ByteBudget,
    private readonly turns: SingleFile,
  ) {}

  /** Whether a body of so many bytes in all may be held; keeps what it had when it may not. */
  reserve(bytes: number): boolean {
    if (this.#gone.signal.aborted) return false;
    if (bytes <= this.#bytes) return true;
    const from = this.budgetFor(this.#bytes);
    const to = this.budgetFor(bytes);
    if (!to.take(from === to ? bytes - this.#bytes : bytes)) return false;
    if (from !== to) from.giveBack(this.#bytes);
    this.#bytes = bytes;
    return true;
  }

  /**
   * Does the work that the body was sent for: at once when that is little, else when its turn comes. It
   * may leave to others what it has of a turn and go on waiting; what the body takes is held until the
   * work is done. Rejects as the work does, or as `SingleFile.run`.
   */
  async work<T>(
    work: (leave: () => void) => Promise<T>,
    { large = false, waitMs }: { readonly large?: boolean; readonly waitMs?: number } = {},
  ): Promise<T> {
    this.#working = true;
    try {
      const waits = large || this.#bytes > LARGE_BODY_BYTES;
      return waits ? await this.turns.run(work, this.#gone.signal, waitMs) : await work(noTurn);
    } finally {
      this.#working = false;
      this.release();
    }
  }

  /** The connection has closed: nobody waits for an answer any more. */
  end(): void {
    this.#gone.abort();
    if (!this.#working) this.release();
  }

  release(): void {
    this.budgetFor(this.#bytes).giveBack(this.#bytes);
    this.#bytes = 0;
  }
}
