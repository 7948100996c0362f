import { fstatSync, write } from 'node:fs';

/** Hands bytes to the system and calls back once it took them; never blocks the caller. */
export type SendText = (text: string, done: (error?: Error | null) => void) => void;

/** Lines that wait for a slow reader, in characters; more are dropped. */
const MAX_WAITING = 1024 * 1024;

/**
 * Takes lines and passes them on in their order, one piece at a time, as fast as the reader takes
 * them. Who writes never waits: when nobody reads, as with a paused terminal or a log shipper that
 * stands still, lines are dropped once `maxWaiting` characters wait, and their number is told as soon
 * as there is room again.
 */
export class PatientOutput {
  #waiting: string[] = [];
  #length = 0;
  #dropped = 0;
  #sending = false;
  #flushed: (() => void)[] = [];

  constructor(
    private readonly send: SendText,
    private readonly maxWaiting = MAX_WAITING,
  ) {}

  /** A line with its line feed. */
  write(line: string): void {
    if (this.#length + line.length > this.maxWaiting) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(line);
    this.#length += line.length;
    this.#sendMore();
  }

  /** Resolves when all is passed on, or after `deadlineMs`. */
  async flush(deadlineMs: number): Promise<void> {
    if (!this.#sending) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#flushed.push(resolve);
      timer = setTimeout(resolve, deadlineMs);
    });
    clearTimeout(timer);
  }

  #sendMore(): void {
    if (this.#sending) return;
    const lines = this.#waiting.join('');
    const text = this.#dropped > 0 ? lines + droppedLine(this.#dropped) : lines;
    this.#dropped = 0;
    if (text === '') {
      for (const resolve of this.#flushed.splice(0)) resolve();
      return;
    }
    this.#waiting = [];
    this.#sending = true;
    // A reader that is gone for good is nobody's fault here: the lines go where they cannot be read.
    this.send(text, () => {
      this.#sending = false;
      this.#length -= lines.length;
      this.#sendMore();
    });
  }
}

function droppedLine(dropped: number): string {
  const time = new Date().toISOString();
  const msg = `${dropped} lines were dropped: nobody read them`;
  return `${JSON.stringify({ level: 'warn', time, msg })}\n`;
}

/**
 * Standard output or standard error, without blocking. Node writes to pipes and sockets in the
 * background anyway, and ends without waiting for them; its writes to terminals and files block, so
 * those go through the thread pool.
 */
export function processOutput(stream: NodeJS.WriteStream & { readonly fd: number }): SendText {
  const kind = fstatSync(stream.fd);
  if (kind.isFIFO() || kind.isSocket()) {
    stream.on('error', () => undefined);
    return (text, done) => void stream.write(text, done);
  }
  return (text, done) => sendAll(stream.fd, Buffer.from(text), done);
}

function sendAll(fd: number, bytes: Buffer, done: (error?: Error | null) => void): void {
  write(fd, bytes, (error, taken) => {
    if (error !== null || taken === bytes.length) done(error);
    else sendAll(fd, bytes.subarray(taken), done);
  });
}
