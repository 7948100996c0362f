import { assert } from '@pawl/kernel';
import type { LogIndex } from './types.js';

export interface FlowLimits {
  /** Append messages to one node that are not answered yet. */
  readonly maxInflightMessages: number;
  /** Bytes of entries in them, unless a single one is larger. */
  readonly maxInflightBytes: number;
}

/**
 * What a leader knows of one node's log. `probe`: one message at a time until it is known where the
 * logs agree; `replicate`: messages follow each other without waiting; `snapshot`: nothing until the
 * snapshot has arrived or failed.
 */
export class Progress {
  /** Held durably by the node. */
  match: LogIndex = 0;
  /** First entry that the next message carries. */
  next: LogIndex;
  /** Heard from since this was last cleared. */
  active = false;
  #state: 'probe' | 'replicate' | 'snapshot' = 'probe';
  #probeSent = false;
  #snapshotIndex: LogIndex = 0;
  #inflight: { readonly last: LogIndex; readonly bytes: number }[] = [];
  #inflightBytes = 0;

  constructor(
    next: LogIndex,
    private readonly limits: FlowLimits,
  ) {
    this.next = next;
  }

  get state(): 'probe' | 'replicate' | 'snapshot' {
    return this.#state;
  }

  /** Nothing may be sent before an answer, or a heartbeat's, comes. */
  get paused(): boolean {
    if (this.#state === 'probe') return this.#probeSent;
    return this.#state === 'snapshot' || this.#full;
  }

  get #full(): boolean {
    const { maxInflightMessages, maxInflightBytes } = this.limits;
    return this.#inflight.length >= maxInflightMessages || this.#inflightBytes >= maxInflightBytes;
  }

  /** A message with entries up to `last`, the one before `next` for none, was sent. */
  sent(last: LogIndex, bytes: number): void {
    if (this.#state === 'probe') {
      this.#probeSent = true;
      return;
    }
    assert(this.#state === 'replicate', 'nothing is appended while a snapshot travels');
    if (last < this.next) return;
    this.next = last + 1;
    this.#inflight.push({ last, bytes });
    this.#inflightBytes += bytes;
  }

  sentSnapshot(index: LogIndex): void {
    this.#become('snapshot');
    this.#snapshotIndex = index;
  }

  /** The node holds everything up to `index`; answers whether that is news. */
  acknowledged(index: LogIndex): boolean {
    const news = index > this.match;
    this.match = Math.max(this.match, index);
    this.next = Math.max(this.next, index + 1);
    if (this.#state === 'snapshot' && this.match < this.#snapshotIndex) return news;
    if (this.#state === 'replicate') this.#freeTo(index);
    else this.#become('replicate');
    return news;
  }

  /** `previous` is not held; the logs may agree at `hint`. Answers false for a stale refusal. */
  refused(previous: LogIndex, hint: LogIndex): boolean {
    if (this.#state === 'snapshot') return false;
    const stale = this.#state === 'probe' ? previous !== this.next - 1 : previous <= this.match;
    if (stale) return false;
    const next = this.#state === 'probe' ? Math.min(previous, hint + 1) : this.match + 1;
    this.#become('probe');
    this.next = Math.max(next, this.match + 1);
    return true;
  }

  /** A heartbeat was answered: what was sent before it is answered too, or lost. */
  answered(): void {
    this.#probeSent = false;
    if (this.#state === 'replicate' && this.#full) this.#freeTo(this.#inflight[0]?.last ?? 0);
  }

  /** The transport could not deliver: messages under way may be lost. */
  unreachable(): void {
    if (this.#state === 'replicate') this.#become('probe');
  }

  /** The snapshot was delivered, or failed: goes on, or begins again, with the next answer. */
  snapshotEnded(delivered: boolean): void {
    if (this.#state !== 'snapshot') return;
    const index = this.#snapshotIndex;
    this.#become('probe');
    if (delivered) this.next = Math.max(this.next, index + 1);
    this.#probeSent = true;
  }

  #become(state: 'probe' | 'replicate' | 'snapshot'): void {
    this.#state = state;
    this.#probeSent = false;
    this.#inflight = [];
    this.#inflightBytes = 0;
    if (state !== 'snapshot') this.next = this.match + 1;
  }

  #freeTo(index: LogIndex): void {
    while (this.#inflight.length > 0 && (this.#inflight[0]?.last ?? 0) <= index) {
      this.#inflightBytes -= this.#inflight.shift()?.bytes ?? 0;
    }
  }
}
