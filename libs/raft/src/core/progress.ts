import { assert } from '@pawl/kernel';
import type { LogIndex } from './types.js';

export interface FlowLimits {
  /** Append messages to one node that are not answered yet; at least 1, usually 64. */
  readonly maxInflightMessages: number;
  /** Bytes of entries in them, unless a single one is larger; usually 8 MiB. */
  readonly maxInflightBytes: number;
}

export interface ProgressLimits extends FlowLimits {
  /** Ticks of silence after which the node does not count as active. */
  readonly electionTicks: number;
}

/**
 * What a leader knows of one node's log. `probe`: one message at a time until it is known where the
 * logs agree; `replicate`: messages follow each other without waiting; `snapshot`: nothing until the
 * snapshot has arrived or failed.
 */
export class Progress {
  /** First entry that the next message carries. */
  next: LogIndex;
  #match: LogIndex = 0;
  /** It refused what it had acknowledged, so that its word does not count until it says it again. */
  #doubted = false;
  #silentTicks = 0;
  #state: 'probe' | 'replicate' | 'snapshot' = 'probe';
  /** Nothing more is sent before a heartbeat is answered. */
  #waits = false;
  /** A heartbeat was answered and entries are not: were they lost? */
  #asks = false;
  /** Highest commit index that an append has told. */
  #commitTold: LogIndex = 0;
  #snapshotIndex: LogIndex = 0;
  #inflight: { readonly last: LogIndex; readonly bytes: number }[] = [];
  #inflightBytes = 0;

  constructor(
    next: LogIndex,
    private readonly limits: ProgressLimits,
  ) {
    this.next = next;
  }

  get state(): 'probe' | 'replicate' | 'snapshot' {
    return this.#state;
  }

  /** Held durably by the node; never less than before. */
  get match(): LogIndex {
    return this.#match;
  }

  /** What counts of {@link match}: nothing while the node contradicts itself. */
  get counted(): LogIndex {
    return this.#doubted ? 0 : this.#match;
  }

  /** Heard from within an election time; a new node has had no time to be silent. */
  get active(): boolean {
    return this.#silentTicks < this.limits.electionTicks;
  }

  /** Nothing may be sent before an answer, or a heartbeat's, comes. */
  get paused(): boolean {
    return this.#state === 'snapshot' || this.#waits || (this.#state === 'replicate' && this.#full);
  }

  get #full(): boolean {
    const { maxInflightMessages, maxInflightBytes } = this.limits;
    return this.#inflight.length >= maxInflightMessages || this.#inflightBytes >= maxInflightBytes;
  }

  tick(): void {
    this.#silentTicks += 1;
  }

  /** The node said something. */
  heard(): void {
    this.#silentTicks = 0;
  }

  /** Whether an append would tell the node something, and may be sent. */
  wants(last: LogIndex, commit: LogIndex): boolean {
    if (this.paused) return false;
    if (this.#state === 'probe' || this.next <= last) return true;
    return this.#asks || this.#commitTold < commit;
  }

  /** A message with entries up to `last`, the one before `next` for none, was sent. */
  sent(last: LogIndex, bytes: number, commit: LogIndex): void {
    assert(this.#state !== 'snapshot', 'nothing is appended while a snapshot travels');
    this.#commitTold = commit;
    this.#asks = false;
    if (this.#state === 'probe') {
      this.#waits = true;
      return;
    }
    if (last < this.next) return;
    this.next = last + 1;
    this.#inflight.push({ last, bytes });
    this.#inflightBytes += bytes;
  }

  sentSnapshot(index: LogIndex): void {
    this.#become('snapshot');
    this.#snapshotIndex = index;
  }

  /** The node needs a snapshot and is silent: it gets one when it is heard of. */
  waitForAnswer(): void {
    this.#waits = true;
  }

  /** The node holds everything up to `index`; answers whether that is news. */
  acknowledged(index: LogIndex): boolean {
    const news = index > this.#match || (this.#doubted && index === this.#match);
    if (index >= this.#match) this.#doubted = false;
    this.#match = Math.max(this.#match, index);
    this.next = Math.max(this.next, index + 1);
    if (this.#state === 'snapshot' && this.#match < this.#snapshotIndex) return news;
    if (this.#state === 'replicate') this.#freeTo(index);
    else this.#become('replicate');
    return news;
  }

  /**
   * `previous` is not held; the logs may agree at `hint`. A refusal of what was acknowledged is an old
   * one, or the node has lost it: that is asked once, and again with each heartbeat, since what was
   * counted can never be taken back. Such a node has to leave the configuration and join it anew.
   */
  refused(previous: LogIndex, hint: LogIndex): void {
    if (this.#state === 'snapshot') return;
    if (previous <= this.#match) {
      this.#asks ||= !this.#doubted;
      this.#doubted = this.#match > 0;
      return;
    }
    if (this.#state === 'replicate') return this.#become('probe');
    if (previous !== this.next - 1) return;
    this.#become('probe');
    this.next = Math.max(this.#match, Math.min(previous - 1, hint)) + 1;
  }

  /** A heartbeat was answered: what was sent before it is answered too, or lost. */
  answered(last: LogIndex): void {
    this.#waits = false;
    this.#asks ||= this.#match < last || this.#doubted;
    if (this.#state === 'replicate' && this.#full) this.#freeTo(this.#inflight[0]?.last ?? 0);
  }

  /** The transport could not deliver: messages under way may be lost. */
  unreachable(): void {
    if (this.#state !== 'replicate') return;
    this.#become('probe');
    this.#waits = true;
  }

  /** The snapshot was delivered, or failed: goes on, or begins again, with the next answer. */
  snapshotEnded(delivered: boolean): void {
    if (this.#state !== 'snapshot') return;
    const index = this.#snapshotIndex;
    this.#become('probe');
    if (delivered) this.next = Math.max(this.next, index + 1);
    this.#waits = true;
  }

  #become(state: 'probe' | 'replicate' | 'snapshot'): void {
    this.#state = state;
    this.#waits = false;
    this.#inflight = [];
    this.#inflightBytes = 0;
    if (state !== 'snapshot') this.next = this.#match + 1;
  }

  #freeTo(index: LogIndex): void {
    while (this.#inflight.length > 0 && (this.#inflight[0]?.last ?? 0) <= index) {
      this.#inflightBytes -= this.#inflight.shift()?.bytes ?? 0;
    }
  }
}
