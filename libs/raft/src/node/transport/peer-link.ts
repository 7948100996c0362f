import type { TimerHandle } from '@pawl/kernel';
import { ByteWriter } from '../bytes.js';
import { messageBytes, writeMessage } from './message-codec.js';
import type { PlainMessage } from './message-codec.js';
import { OutgoingConnection } from './outgoing-connection.js';
import { OutgoingRequests } from './outgoing-requests.js';
import { FRAME, FRAME_OVERHEAD, writeFrame } from './peer-frame.js';
import { printable, ProtocolError } from './protocol-error.js';
import { REQUEST_OVERHEAD, writeRequest } from './request-codec.js';
import { SendQueue } from './send-queue.js';
import type { Outgoing } from './send-queue.js';
import type { TransportContext } from './transport-context.js';
import type { PeerAddress } from './transport-options.js';

/**
 * Carries this node's messages and requests to one peer: connects, again and again, and writes what
 * waits, one write at a time.
 */
export class PeerLink {
  readonly #queue: SendQueue;
  readonly #requests: OutgoingRequests;
  #connection: OutgoingConnection | null = null;
  #retry: TimerHandle | null = null;
  /** What is sent before the current work is done leaves in one write. */
  #flushing = false;
  #writing = false;
  /** Attempts without a connection that lasted. */
  #failures = 0;
  /** Messages were lost, and that was reported. */
  #losing = false;
  #lastProblem = '';
  #closed = false;

  constructor(
    private readonly context: TransportContext,
    readonly peer: PeerAddress,
  ) {
    this.#queue = new SendQueue(context.limits);
    const { options, limits } = context;
    this.#requests = new OutgoingRequests(peer.id, options.timer, limits.requests);
    this.#connect();
  }

  /** Takes `message` along, or loses it. */
  send(message: PlainMessage): void {
    const bytes = FRAME_OVERHEAD + messageBytes(message);
    const { frameBytes } = this.context.limits;
    if (bytes > frameBytes) {
      const to = printable(this.peer.id);
      this.#problem(`a message of ${bytes} bytes to ${to} exceeds the limit of ${frameBytes}`);
      this.#lose();
      return;
    }
    if (!this.#offer({ kind: 'message', message }, bytes)) this.#lose();
  }

  /** Rejects with a `RequestError`. */
  request(content: Uint8Array, deadlineMs: number): Promise<Uint8Array> {
    const to = printable(this.peer.id);
    const bytes = FRAME_OVERHEAD + REQUEST_OVERHEAD + content.length;
    const { frameBytes } = this.context.limits;
    return this.#requests.begin(deadlineMs, (id) => {
      if (bytes > frameBytes) return `a request of ${bytes} bytes exceeds ${frameBytes}`;
      const taken = this.#offer({ kind: 'request', request: { id, content } }, bytes);
      return taken ? null : `${to} cannot be reached`;
    });
  }

  /** The peer is known to be up: no need to wait with the next attempt. */
  hurry(): void {
    if (this.#retry === null) return;
    this.#retry.cancel();
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#retry = null;
    this.#connection?.close();
    this.#connection = null;
    this.#queue.clear();
    this.#requests.lost();
  }

  /** Takes what is to be sent, unless there is no connection or no room. */
  #offer(frame: Outgoing, bytes: number): boolean {
    if (this.#connection?.open !== true || !this.#queue.offer(frame, bytes)) return false;
    this.#schedule();
    return true;
  }

  #connect(): void {
    this.#retry = null;
    this.#writing = false;
    this.#connection = new OutgoingConnection(this.context, this.peer, 'messages', {
      onOpen: () => {
        this.#losing = false;
        this.#lastProblem = '';
      },
      onFrame: ({ kind, body }) => {
        if (kind !== FRAME.response) throw new ProtocolError('a frame that answers nothing');
        this.#requests.answered(body);
      },
      onFailed: (text, refused) => this.#failed(text, refused),
    });
  }

  #failed(text: string, refused: boolean): void {
    const { limits, options } = this.context;
    const wasOpen = this.#connection?.wasOpen === true;
    const lasted = this.#connection?.lasted === true;
    this.#connection = null;
    this.#queue.clear();
    this.#requests.lost();
    this.#failures = lasted ? 0 : this.#failures + 1;
    const doubled = limits.retryMinMs * 2 ** Math.min(this.#failures, 30);
    const delayMs = refused ? limits.retryMaxMs : Math.min(doubled, limits.retryMaxMs);
    const jittered = delayMs * (0.5 + options.rng.next() / 2);
    this.#retry = options.timer.after(jittered, () => this.#connect());
    this.#problem(text);
    if (wasOpen) this.#lose();
  }

  #schedule(): void {
    if (this.#writing || this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#write();
    });
  }

  #write(): void {
    const connection = this.#connection;
    if (connection?.open !== true || this.#writing) return;
    if (this.#queue.empty) return;
    const { frames, bytes } = this.#queue.take(this.context.limits.writeBytes);
    const writer = new ByteWriter(bytes);
    for (const frame of frames) {
      if (frame.kind === 'message') {
        writeFrame(writer, FRAME.message, (to) => writeMessage(to, frame.message));
      } else {
        writeFrame(writer, FRAME.request, (to) => writeRequest(to, frame.request));
      }
    }
    this.#writing = true;
    connection.write(writer.done(), () => {
      this.#writing = false;
      if (this.#queue.empty) this.#losing = false;
      else this.#schedule();
    });
  }

  #lose(): void {
    if (this.#losing) return;
    this.#losing = true;
    queueMicrotask(() => {
      if (!this.#closed) this.context.options.onUnreachable(this.peer.id);
    });
  }

  /** Says each thing once, until there is a connection again. */
  #problem(text: string): void {
    if (text === this.#lastProblem) return;
    this.#lastProblem = text;
    queueMicrotask(() => {
      if (!this.#closed) this.context.options.onProblem(text);
    });
  }
}
