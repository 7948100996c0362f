import { createHash } from 'node:crypto';
import type { TimerHandle } from '@pawl/kernel';
import type { NodeId, SnapshotMessage } from '../../core/index.js';
import { readMessage, strictly } from './message-codec.js';
import { FRAME } from './peer-frame.js';
import type { ReceivedFrame } from './peer-frame.js';
import { ProtocolError } from './protocol-error.js';
import { StateBuffer } from './state-buffer.js';
import type { TransportContext } from './transport-context.js';

/** Lets in one snapshot at a time, of the highest term. */
export class SnapshotGate {
  #inside: { readonly term: number; readonly leave: () => void } | null = null;

  /** `leave` runs when a snapshot of a higher term comes. False: busy. */
  enter(term: number, leave: () => void): boolean {
    if (this.#inside !== null) {
      if (term <= this.#inside.term) return false;
      this.#inside.leave();
    }
    this.#inside = { term, leave };
    return true;
  }

  leave(leave: () => void): void {
    if (this.#inside?.leave === leave) this.#inside = null;
  }
}

export interface ReceiverEvents {
  /** The state is whole and verified. */
  onWhole(message: SnapshotMessage, state: Uint8Array): void;
  /** It comes to nothing; the last event. */
  onRefused(reason: string): void;
}

/** Puts together the one snapshot that a connection carries. Holds nothing any more once closed. */
export class SnapshotReceiver {
  #message: SnapshotMessage | null = null;
  #state: StateBuffer | null = null;
  #stall: TimerHandle | null = null;
  #closed = false;
  readonly #hash = createHash('sha256');
  readonly #pushedOut = (): void => this.#refuse('a leader of a later term sends one');

  constructor(
    private readonly context: TransportContext,
    private readonly gate: SnapshotGate,
    private readonly from: NodeId,
    private readonly events: ReceiverEvents,
  ) {
    this.#progress();
  }

  /** Throws a {@link ProtocolError} for what does not belong here. */
  take({ kind, body }: ReceivedFrame): void {
    if (this.#closed) return;
    if (kind === FRAME.snapshotBegin) this.#begin(body);
    else if (kind === FRAME.snapshotChunk) this.#chunk(body);
    else if (kind === FRAME.snapshotEnd) this.#end(body);
    else throw new ProtocolError('a frame that carries no snapshot');
  }

  close(): void {
    this.#closed = true;
    this.#stall?.cancel();
    this.#state = null;
    this.gate.leave(this.#pushedOut);
  }

  #begin(body: Buffer): void {
    if (this.#message !== null) throw new ProtocolError('a second snapshot on one connection');
    const length = strictly(body.subarray(0, 8), (reader) => reader.u64());
    const message = readMessage(body.subarray(8));
    const { options, limits } = this.context;
    if (message.type !== 'snapshot') throw new ProtocolError('a snapshot without its message');
    if (message.from !== this.from || message.to !== options.self.id) {
      throw new ProtocolError('a snapshot from or to somebody else');
    }
    this.#message = message;
    if (length > limits.snapshotBytes) {
      this.#refuse(`a snapshot of ${length} bytes exceeds the limit of ${limits.snapshotBytes}`);
    } else if (!this.gate.enter(message.term, this.#pushedOut)) {
      this.#refuse('another snapshot is arriving');
    } else {
      this.#state = new StateBuffer(length);
      this.#progress();
    }
  }

  #chunk(body: Buffer): void {
    const state = this.#state;
    if (state === null || body.length === 0 || state.filled + body.length > state.length) {
      throw new ProtocolError('a chunk that belongs to no snapshot');
    }
    this.#hash.update(body);
    state.append(body);
    this.#progress();
  }

  #end(digest: Buffer): void {
    const [message, state] = [this.#message, this.#state];
    if (message === null || state === null) throw new ProtocolError('the end of no snapshot');
    this.#state = null;
    this.#stall?.cancel();
    if (state.filled !== state.length) throw new ProtocolError('a snapshot that is cut off');
    if (!this.#hash.digest().equals(digest)) {
      throw new ProtocolError('a snapshot that fails its checksum');
    }
    void state.whole().then((whole) => {
      if (this.#closed) return;
      this.close();
      this.events.onWhole(message, whole);
    });
  }

  #progress(): void {
    this.#stall?.cancel();
    const { snapshotStallMs } = this.context.limits;
    this.#stall = this.context.options.timer.after(snapshotStallMs, () => {
      this.#refuse(`the snapshot did not go on for ${snapshotStallMs} ms`);
    });
  }

  #refuse(reason: string): void {
    if (this.#closed) return;
    this.close();
    this.events.onRefused(reason);
  }
}
