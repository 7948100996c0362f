import type { Socket } from 'node:net';
import type { NodeId } from '../../core/index.js';
import { ByteWriter } from '../bytes.js';
import { FRAME, FRAME_OVERHEAD, writeFrame } from './peer-frame.js';
import { describe } from './protocol-error.js';
import { readRequest, RESPONSE_OVERHEAD, writeResponse } from './request-codec.js';
import type { Response } from './request-codec.js';
import type { TransportContext } from './transport-context.js';

/** Answers what one peer asks over one connection; what is ready in one turn leaves in one write. */
export class IncomingRequests {
  #answering = 0;
  #corked = false;

  constructor(
    private readonly context: TransportContext,
    private readonly socket: Socket,
    /** Null: anybody of the cluster. */
    private readonly peer: NodeId | null,
  ) {}

  /** Throws a {@link ProtocolError} for what is no request. */
  take(body: Buffer): void {
    const { id, content } = readRequest(body);
    const { options, limits } = this.context;
    if (this.#answering >= limits.requests) {
      this.#fail(id, `${limits.requests} requests are being answered`);
      return;
    }
    this.#answering += 1;
    void Promise.resolve()
      .then(() => options.onRequest(this.peer, content))
      .then(
        (answer) => this.#answer(id, answer),
        (error: unknown) => this.#fail(id, describe(error)),
      )
      .finally(() => (this.#answering -= 1));
  }

  #answer(id: number, content: Uint8Array): void {
    const { frameBytes } = this.context.limits;
    const bytes = FRAME_OVERHEAD + RESPONSE_OVERHEAD + content.length;
    if (bytes > frameBytes) this.#fail(id, `an answer of ${bytes} bytes exceeds ${frameBytes}`);
    else this.#write({ id, ok: true, content });
  }

  #fail(id: number, why: string): void {
    this.#write({ id, ok: false, content: Buffer.from(why, 'utf8') });
  }

  #write(response: Response): void {
    if (!this.socket.writable) return;
    if (!this.#corked) {
      this.#corked = true;
      this.socket.cork();
      setImmediate(() => {
        this.#corked = false;
        this.socket.uncork();
      });
    }
    const writer = new ByteWriter(FRAME_OVERHEAD + RESPONSE_OVERHEAD + response.content.length);
    writeFrame(writer, FRAME.response, (to) => writeResponse(to, response));
    this.socket.write(writer.done());
  }
}
