/** How a process comes to its end: by itself, because it was told to, or by what may be the configuration's fault. */
export type ProcessEnd = 'clean' | 'told' | 'unclean';

/** Tells how this process ends, as far as that can be seen from inside. */
export interface ProcessEnds {
  /**
   * Calls back, synchronously, when the process is told to end or ends; until the returned function is
   * called.
   */
  watch(listener: (end: ProcessEnd) => void): () => void;
}

/** What tells a process to end. Not SIGHUP, by which many are told to read their files again. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * This process: it ends clean by exit code 0, told to by SIGTERM or SIGINT whatever follows; unclean by any
 * other exit code, which is also what an uncaught exception leads to. Signals do what they did without
 * it: its listener goes before all others, takes itself away, and when nobody else listens it lets the
 * signal end the process.
 */
class OwnProcessEnds implements ProcessEnds {
  readonly #listeners = new Set<(end: ProcessEnd) => void>();

  watch(listener: (end: ProcessEnd) => void): () => void {
    const entry = (end: ProcessEnd): void => listener(end);
    if (this.#listeners.size === 0) this.#attach();
    this.#listeners.add(entry);
    return () => {
      if (this.#listeners.delete(entry) && this.#listeners.size === 0) this.#detach();
    };
  }

  readonly #onExit = (code: number): void => this.#tell(code === 0 ? 'clean' : 'unclean');

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    process.removeListener(signal, this.#onSignal);
    this.#tell('told');
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };

  #attach(): void {
    process.on('exit', this.#onExit);
    for (const signal of SIGNALS) process.prependListener(signal, this.#onSignal);
  }

  #detach(): void {
    process.removeListener('exit', this.#onExit);
    for (const signal of SIGNALS) process.removeListener(signal, this.#onSignal);
  }

  #tell(end: ProcessEnd): void {
    for (const listener of [...this.#listeners]) listener(end);
  }
}

/** One for all clients of the process, so that it listens once however many there are. */
export const ownProcessEnds: ProcessEnds = new OwnProcessEnds();
