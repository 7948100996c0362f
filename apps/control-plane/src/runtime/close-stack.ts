import type { Logger } from '@pawl/platform';

/** Closes a part; after `boundMs` nobody waits for it any more. */
export type Close = (boundMs: number) => Promise<void> | void;

export interface CloseTimes {
  /** How long the part may take at most, milliseconds. */
  readonly deadlineMs: number;
  /** What the parts that are closed before it leave to it, however long they take. */
  readonly reserveMs: number;
}

interface Opened extends CloseTimes {
  readonly name: string;
  readonly close: Close;
}

export interface CloseStackOptions {
  readonly logger: Logger;
  /** How long closing all may take, milliseconds; a little more where many parts hang. */
  readonly totalMs: number;
  /** How long one part may take that says nothing else. */
  readonly deadlineMs: number;
  readonly monotonicMs: () => number;
}

/** What a part has in any case. */
const LEAST_MS = 100;

/**
 * What was opened, closed in the reverse order and within one time for all; each part may fail or hang
 * without the others.
 */
export class CloseStack {
  readonly #opened: Opened[] = [];
  #closing: Promise<void> | undefined;

  constructor(private readonly options: CloseStackOptions) {}

  push(name: string, close: Close, times: Partial<CloseTimes> = {}): void {
    const { deadlineMs = this.options.deadlineMs, reserveMs = 0 } = times;
    this.#opened.push({ name, close, deadlineMs, reserveMs });
  }

  /** Resolves when all is closed or given up; callers that come meanwhile wait for the same end. */
  closeAll(): Promise<void> {
    this.#closing ??= this.#closeEach().finally(() => (this.#closing = undefined));
    return this.#closing;
  }

  async #closeEach(): Promise<void> {
    const endMs = this.options.monotonicMs() + this.options.totalMs;
    for (let next = this.#opened.pop(); next !== undefined; next = this.#opened.pop()) {
      const reservedMs = this.#opened.reduce((sum, { reserveMs }) => sum + reserveMs, 0);
      const leftMs = endMs - this.options.monotonicMs() - reservedMs;
      await this.#closeOne(next, Math.max(LEAST_MS, Math.min(next.deadlineMs, leftMs)));
    }
  }

  async #closeOne({ name, close }: Opened, boundMs: number): Promise<void> {
    const { logger } = this.options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('took too long')), boundMs);
    });
    try {
      await Promise.race([Promise.resolve().then(() => close(boundMs)), late]);
      logger.debug({ part: name }, 'closed');
    } catch (error) {
      logger.warn({ part: name, err: error }, 'did not close in order');
    } finally {
      clearTimeout(timer);
    }
  }
}
