import { FORMAT } from '@pawl/contracts';
import type { Vote, VoteItem } from '@pawl/contracts';
import type { Timer, TimerHandle } from '@pawl/kernel';
import { batchesOf } from './batches.js';

interface VoteBoxOptions {
  readonly incarnation: string;
  readonly timer: Timer;
  readonly send: (vote: Vote) => void;
}

/** Votes that may wait; what comes above that is the owner's to ask for again. */
const WAITING = 4_000;

/** Votes that wait to travel together. What cannot be sent when its time comes is dropped. */
export class VoteBox {
  readonly #waiting = new Map<string, VoteItem>();
  #timer: TimerHandle | null = null;
  /** Of the timer. */
  #delayMs = 0;
  #closed = false;

  constructor(private readonly options: VoteBoxOptions) {}

  /** Sends it after `delayMs` at most. */
  add(vote: VoteItem, delayMs: number): void {
    if (this.#closed || this.#waiting.size >= WAITING) return;
    this.#waiting.set(`${vote.id} ${vote.address} ${vote.hash}`, vote);
    if (this.#timer !== null && this.#delayMs <= delayMs) return;
    this.#timer?.cancel();
    this.#delayMs = delayMs;
    this.#timer = this.options.timer.after(delayMs, () => this.#send());
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #send(): void {
    this.#timer = null;
    const votes = [...this.#waiting.values()];
    this.#waiting.clear();
    const { incarnation, send } = this.options;
    for (const items of batchesOf(votes)) send({ format: FORMAT, incarnation, items });
  }
}
