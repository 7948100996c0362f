import type { Socket } from 'node:net';
import type { TimerHandle } from '@pawl/kernel';
import type { NodeId } from '../../core/index.js';
import { ByteWriter } from '../bytes.js';
import { commonVersion, decodeHello, encodeWelcome } from './handshake.js';
import { HANDSHAKE_FRAME_BYTES, PROTOCOL, QUESTION_FRAME_BYTES } from './handshake.js';
import type { Hello, Purpose } from './handshake.js';
import { readMessage } from './message-codec.js';
import { IncomingRequests } from './incoming-requests.js';
import { FRAME, FrameReader, oneFrame } from './peer-frame.js';
import type { ReceivedFrame } from './peer-frame.js';
import { describe, printable, ProtocolError } from './protocol-error.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import type { SnapshotGate } from './snapshot-receiver.js';
import { SilenceWatch } from './transport-context.js';
import type { TransportContext } from './transport-context.js';

export interface IncomingEvents {
  readonly isPeer: (id: NodeId) => boolean;
  /** The other side is known from now on. */
  readonly onOpen: (connection: IncomingConnection) => void;
  /** The last event. */
  readonly onEnded: (connection: IncomingConnection) => void;
  readonly gate: SnapshotGate;
}

/** A connection that a peer opened to say something. */
export class IncomingConnection {
  readonly #frames = new FrameReader(HANDSHAKE_FRAME_BYTES);
  readonly #life: SilenceWatch;
  readonly #deadline: TimerHandle;
  readonly #at: string;
  #peer: { readonly id: NodeId; readonly purpose: Purpose } | null = null;
  #snapshot: SnapshotReceiver | null = null;
  #requests: IncomingRequests | null = null;
  /** Whether life was confirmed in this interval, and whether there was more since. */
  #confirmed = false;
  #unconfirmed = false;
  #strayReported = false;
  #ended = false;

  constructor(
    private readonly context: TransportContext,
    readonly socket: Socket,
    private readonly events: IncomingEvents,
  ) {
    const { options, limits } = context;
    this.#at = `${socket.remoteAddress ?? 'nowhere'}:${socket.remotePort ?? 0}`;
    this.#life = new SilenceWatch(
      context,
      () => this.#confirmAgain(),
      () => this.#end(null),
    );
    this.#deadline = options.timer.after(limits.handshakeMs, () => {
      this.#end(this.#requests === null ? 'did not say who it is' : null);
    });
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#end(this.#peer === null ? describe(error) : null));
    socket.on('close', () => this.#end(null));
  }

  /** `null` before both sides know each other. */
  get peer(): { readonly id: NodeId; readonly purpose: Purpose } | null {
    return this.#peer;
  }

  close(): void {
    this.#end(null);
  }

  #refuse(problem: string, answer: string): void {
    const refusal = oneFrame(FRAME.refusal, new ByteWriter().text(answer).done());
    this.#end(`is refused: ${problem}`, refusal);
  }

  /** `problem` is reported unless `null`; `last` is for the other side, which gets time to read it. */
  #end(problem: string | null, last?: Buffer): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadline.cancel();
    this.#life.stop();
    this.#snapshot?.close();
    if (last === undefined) this.socket.destroy();
    else this.#sayGoodbye(last);
    if (problem !== null) this.context.options.onProblem(`${this.#name()} ${problem}`);
    this.events.onEnded(this);
  }

  #sayGoodbye(last: Buffer): void {
    const { options, limits } = this.context;
    const deadline = options.timer.after(limits.handshakeMs, () => this.socket.destroy());
    this.socket.once('close', () => deadline.cancel());
    this.socket.end(last);
  }

  #name(): string {
    return this.#peer === null
      ? `a connection from ${this.#at}`
      : `${printable(this.#peer.id)} at ${this.#at}`;
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return;
    try {
      for (const frame of this.#frames.read(chunk)) {
        this.#take(frame);
        if (this.#ended) return;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const answer = new ByteWriter().text(`it got ${error.message}`).done();
      this.#end(`sent ${error.message}`, oneFrame(FRAME.refusal, answer));
      return;
    }
    this.#life.heard();
    if (this.#peer !== null) this.#confirm();
  }

  #take(frame: ReceivedFrame): void {
    if (this.#peer === null) {
      if (this.#requests === null) this.#takeHello(frame);
      else if (frame.kind === FRAME.request) this.#requests.take(frame.body);
      else throw new ProtocolError('something else than a question');
    } else if (frame.kind === FRAME.ping) return;
    else if (this.#snapshot !== null) this.#snapshot.take(frame);
    else if (frame.kind === FRAME.message) this.#takeMessage(frame.body, this.#peer.id);
    else if (frame.kind === FRAME.request) this.#requests?.take(frame.body);
    else throw new ProtocolError('a frame of unknown kind');
  }

  #takeHello({ kind, body }: ReceivedFrame): void {
    if (kind !== FRAME.hello) throw new ProtocolError('something else than a greeting first');
    const hello = decodeHello(body);
    const refusal = this.#judge(hello);
    if (refusal !== null) {
      this.#refuse(refusal.problem, refusal.answer ?? refusal.problem);
      return;
    }
    if (hello.purpose === 'identity') {
      this.#end(null, oneFrame(FRAME.welcome, this.#welcome(hello)));
      return;
    }
    if (hello.purpose === 'question') {
      /* Stays a stranger: its time is short, and there are few of them. */
      this.#frames.maxBytes = QUESTION_FRAME_BYTES;
      this.socket.write(oneFrame(FRAME.welcome, this.#welcome(hello)));
      this.#requests = new IncomingRequests(this.context, this.socket, null);
      return;
    }
    this.#deadline.cancel();
    this.#frames.maxBytes = this.context.limits.frameBytes;
    this.#peer = { id: hello.self.id, purpose: hello.purpose };
    this.socket.write(oneFrame(FRAME.welcome, this.#welcome(hello)));
    this.#requests = new IncomingRequests(this.context, this.socket, hello.self.id);
    if (hello.purpose === 'snapshot') this.#snapshot = this.#receiver(hello.self.id);
    this.#life.start();
    this.events.onOpen(this);
  }

  #welcome(hello: Hello): Buffer {
    const version = commonVersion(hello) ?? PROTOCOL.newest;
    return encodeWelcome({ version, self: this.context.options.self });
  }

  #judge(hello: Hello): { readonly problem: string; readonly answer?: string } | null {
    const { self } = this.context.options;
    const { id, clusterId, folderId } = hello.self;
    const name = printable(id);
    if (commonVersion(hello) === null) {
      const spoken = `${hello.oldest} to ${hello.newest}`;
      return { problem: `${name} speaks versions ${spoken} of the protocol, this node others` };
    }
    if (hello.purpose === 'identity') return null;
    if (clusterId !== self.clusterId) {
      const problem = `${name} belongs to another cluster (${printable(clusterId)})`;
      return { problem, answer: 'this node belongs to another cluster' };
    }
    if (hello.purpose === 'question') return null;
    if (id === self.id) {
      return {
        problem: `it has this node's own id, ${name}: start it under an id of its own, or stop this node`,
      };
    }
    if (!this.events.isPeer(id)) return { problem: `${name} is no peer of this node` };
    if (hello.target !== self.id) {
      return { problem: `${name} looks for ${printable(hello.target)} where ${self.id} listens` };
    }
    const second = this.context.folders.admit(id, folderId, this.#at);
    return second === null ? null : { problem: second };
  }

  #takeMessage(body: Buffer, peer: NodeId): void {
    const message = readMessage(body);
    if (message.type === 'snapshot') throw new ProtocolError('a snapshot without its state');
    if (message.from === peer && message.to === this.context.options.self.id) {
      this.context.options.onMessage(message);
    } else if (!this.#strayReported) {
      this.#strayReported = true;
      const [from, to] = [printable(message.from), printable(message.to)];
      this.context.options.onProblem(
        `${this.#name()} sends messages from ${from} to ${to}, which are dropped`,
      );
    }
  }

  #receiver(from: NodeId): SnapshotReceiver {
    return new SnapshotReceiver(this.context, this.events.gate, from, {
      onWhole: (message, state) => {
        this.context.options.onSnapshot(message, state);
        if (!this.#ended) this.socket.write(oneFrame(FRAME.snapshotReceived));
      },
      onRefused: (reason) => this.#refuse(reason, reason),
    });
  }

  /** At the first sign of life in an interval at once, then once more at its end. */
  #confirm(): void {
    if (this.#confirmed) {
      this.#unconfirmed = true;
      return;
    }
    this.#confirmed = true;
    this.socket.write(oneFrame(FRAME.heard));
  }

  #confirmAgain(): void {
    this.#confirmed = false;
    if (!this.#unconfirmed) return;
    this.#unconfirmed = false;
    this.#confirm();
  }
}
