import type { Socket } from 'node:net';
import type { TimerHandle } from '@pawl/kernel';
import { commonVersion, decodeWelcome, encodeHello } from './handshake.js';
import { HANDSHAKE_FRAME_BYTES, PROTOCOL } from './handshake.js';
import type { Purpose } from './handshake.js';
import { strictly } from './message-codec.js';
import { FRAME, FrameReader, oneFrame } from './peer-frame.js';
import type { ReceivedFrame } from './peer-frame.js';
import { describe, printable, ProtocolError } from './protocol-error.js';
import { addressOf, dial, SilenceWatch } from './transport-context.js';
import type { TransportContext } from './transport-context.js';
import type { PeerAddress } from './transport-options.js';

export interface OutgoingEvents {
  /** Both sides know each other: writing is possible. */
  onOpen(): void;
  /** A frame other than signs of life; throws a {@link ProtocolError} for one that must not come. */
  onFrame(frame: ReceivedFrame): void;
  /** Ended, not by `close`; the last event. `refused`: at once again would be in vain. */
  onFailed(text: string, refused: boolean): void;
}

/** What the peer, reached and understood, does not want. */
class RefusedError extends ProtocolError {}

/**
 * One attempt to connect to a peer, and the connection that comes of it: handshake, signs of life
 * both ways, one end.
 */
export class OutgoingConnection {
  readonly #socket: Socket;
  readonly #frames = new FrameReader(HANDSHAKE_FRAME_BYTES);
  readonly #life: SilenceWatch;
  readonly #deadline: TimerHandle;
  #state: 'opening' | 'open' | 'ended' = 'opening';
  #pinging = false;
  #wasOpen = false;
  #lasted = false;

  constructor(
    private readonly context: TransportContext,
    private readonly peer: PeerAddress,
    private readonly purpose: Purpose,
    private readonly events: OutgoingEvents,
  ) {
    const { options, limits } = context;
    this.#life = new SilenceWatch(
      context,
      () => this.#ping(),
      () => this.#fail('does not answer any more'),
    );
    this.#deadline = options.timer.after(limits.handshakeMs, () => {
      this.#fail(`did not answer within ${limits.handshakeMs} ms`);
    });
    const { socket, ready } = dial(context, peer);
    this.#socket = socket;
    socket.once(ready, () => this.#sayHello());
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(describe(error)));
    socket.on('close', () => this.#fail('closed the connection'));
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** Both sides once knew each other. */
  get wasOpen(): boolean {
    return this.#wasOpen;
  }

  /** Open for an interval of signs of life at least. */
  get lasted(): boolean {
    return this.#lasted;
  }

  /** One write call. `done` comes once the system took it all, or never if the connection ends. */
  write(bytes: Uint8Array, done: () => void): void {
    this.#socket.write(bytes, (error) => {
      if (!error && this.open) done();
    });
  }

  /** Ends it without a further event. */
  close(): void {
    this.#state = 'ended';
    this.#deadline.cancel();
    this.#life.stop();
    this.#socket.destroy();
  }

  #fail(text: string, refused = false): void {
    if (this.#state === 'ended') return;
    this.close();
    this.events.onFailed(`${printable(this.peer.id)} at ${addressOf(this.peer)} ${text}`, refused);
  }

  #sayHello(): void {
    const { self } = this.context.options;
    const hello = { ...PROTOCOL, purpose: this.purpose, self, target: this.peer.id };
    this.#socket.write(oneFrame(FRAME.hello, encodeHello(hello)));
  }

  #receive(chunk: Buffer): void {
    this.#life.heard();
    try {
      for (const frame of this.#frames.read(chunk)) {
        if (this.#state === 'ended') return;
        this.#take(frame);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail(error instanceof RefusedError ? error.message : `sent ${error.message}`, true);
    }
  }

  #take(frame: ReceivedFrame): void {
    if (frame.kind === FRAME.refusal) {
      const reason = strictly(frame.body, (reader) => reader.text());
      throw new RefusedError(`refuses this node: ${printable(reason, 500)}`);
    }
    if (this.#state === 'opening') this.#takeWelcome(frame);
    else if (frame.kind !== FRAME.heard) this.events.onFrame(frame);
  }

  #takeWelcome({ kind, body }: ReceivedFrame): void {
    if (kind !== FRAME.welcome) throw new ProtocolError('something else than a welcome first');
    const { version, self } = decodeWelcome(body);
    const ours = this.context.options.self;
    if (commonVersion({ oldest: version, newest: version }) !== version) {
      throw new ProtocolError(`a welcome in version ${version} of the protocol`);
    }
    if (self.clusterId !== ours.clusterId) {
      const [theirs, own] = [printable(self.clusterId), printable(ours.clusterId)];
      throw new RefusedError(`belongs to another cluster (${theirs}) than this node (${own})`);
    }
    if (self.id !== this.peer.id) throw new RefusedError(`is ${printable(self.id)}`);
    const { folders } = this.context;
    const second = folders.admit(self.id, self.folderId, addressOf(this.peer));
    if (second !== null) throw new RefusedError(`is refused: ${second}`);
    this.#deadline.cancel();
    this.#state = 'open';
    this.#wasOpen = true;
    this.#frames.maxBytes = this.context.limits.frameBytes;
    this.#life.start();
    this.events.onOpen();
  }

  #ping(): void {
    this.#lasted = true;
    if (this.#pinging) return;
    this.#pinging = true;
    this.write(oneFrame(FRAME.ping), () => {
      this.#pinging = false;
    });
  }
}
