import type { Rng, Timer, TimerHandle } from '@pawl/kernel';
import type { Address, Subjects } from '@pawl/contracts';
import { Backoff } from '../backoff.js';
import type { PawlErrorCode } from '../errors.js';
import { decodeSnapshot } from '../nats/decode-message.js';
import type { DecodedSnapshot } from '../nats/decode-message.js';
import type { Link } from '../ports.js';

interface ReaderOptions {
  readonly address: Address;
  readonly subjects: Subjects;
  readonly link: Link;
  readonly timer: Timer;
  readonly rng: Rng;
  /** Takes what a read found; answers whether to read again, with back-off. */
  readonly onRead: (found: DecodedSnapshot | null) => boolean;
  readonly onProblem: (code: PawlErrorCode, message: string) => void;
}

/**
 * Reads one address's snapshot from the stream: one read at a time, again with back-off while the
 * reads stay behind. While the link is down nothing is read; its owner asks again once it is up.
 */
export class SnapshotReader {
  readonly #options: ReaderOptions;
  readonly #backoff: Backoff;
  #pending: TimerHandle | null = null;
  #pendingMs = 0;
  #reading = false;
  #again = false;
  #stopped = false;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.rng, { baseMs: 50, capMs: 15_000 });
  }

  /** Reads after `delayMs`, unless a read is scheduled to come sooner. */
  request(delayMs: number): void {
    if (this.#stopped || (this.#pending !== null && this.#pendingMs <= delayMs)) return;
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#cancel();
    if (delayMs <= 0) return void this.#read();
    this.#pendingMs = delayMs;
    this.#pending = this.#options.timer.after(delayMs, () => void this.#read());
  }

  /** Reads now, whatever was scheduled: the way to the stream has just opened. */
  requestNow(): void {
    this.#cancel();
    this.#backoff.reset();
    this.request(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #cancel(): void {
    this.#pending?.cancel();
    this.#pending = null;
  }

  async #read(): Promise<void> {
    this.#pending = null;
    if (this.#stopped || this.#options.link.state !== 'up') return;
    this.#reading = true;
    const found = await this.#fetch();
    this.#reading = false;
    if (this.#stopped) return;
    const asked = this.#again;
    this.#again = false;
    const behind = found === 'unreachable' || this.#options.onRead(found) || this.#again;
    this.#again = false;
    if (!behind) this.#backoff.reset();
    if (behind || asked) this.request(this.#backoff.nextMs());
  }

  async #fetch(): Promise<DecodedSnapshot | null | 'unreachable'> {
    const { link, subjects, address, onProblem } = this.#options;
    try {
      const message = await link.directGet(subjects.snapshotStream, subjects.snapshot(address));
      if (message === undefined) return null;
      const decoded = decodeSnapshot(message.data);
      if (decoded.ok) return decoded.value;
      onProblem(
        'malformed-message',
        `the stream's message for ${address.text}: ${decoded.message}`,
      );
      return null;
    } catch {
      return 'unreachable';
    }
  }
}
