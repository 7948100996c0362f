import type { Logger } from '@pawl/platform';

interface Opened {
  readonly name: string;
  readonly close: () => Promise<void> | void;
  readonly deadlineMs: number;
}

/** What was opened, closed in the reverse order; each part may fail or hang without the others. */
export class CloseStack {
  readonly #opened: Opened[] = [];
  #closing: Promise<void> | undefined;

  constructor(
    private readonly logger: Logger,
    private readonly deadlineMs: number,
  ) {}

  push(name: string, close: Opened['close'], deadlineMs = this.deadlineMs): void {
    this.#opened.push({ name, close, deadlineMs });
  }

  /** Resolves when all is closed or given up; callers that come meanwhile wait for the same end. */
  closeAll(): Promise<void> {
    this.#closing ??= this.#closeEach().finally(() => (this.#closing = undefined));
    return this.#closing;
  }

  async #closeEach(): Promise<void> {
    for (let next = this.#opened.pop(); next !== undefined; next = this.#opened.pop()) {
      await this.#closeOne(next);
    }
  }

  async #closeOne({ name, close, deadlineMs }: Opened): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('took too long')), deadlineMs);
    });
    try {
      await Promise.race([Promise.resolve().then(close), late]);
      this.logger.debug({ part: name }, 'closed');
    } catch (error) {
      this.logger.warn({ part: name, err: error }, 'did not close in order');
    } finally {
      clearTimeout(timer);
    }
  }
}
