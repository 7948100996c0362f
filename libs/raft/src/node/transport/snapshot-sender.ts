import { createHash } from 'node:crypto';
import type { TimerHandle } from '@pawl/kernel';
import type { SnapshotMessage } from '../../core/index.js';
import { ByteWriter } from '../bytes.js';
import { messageBytes, writeMessage } from './message-codec.js';
import { OutgoingConnection } from './outgoing-connection.js';
import { FRAME, oneFrame } from './peer-frame.js';
import type { ReceivedFrame } from './peer-frame.js';
import { describe, printable, ProtocolError } from './protocol-error.js';
import type { TransportContext } from './transport-context.js';
import type { PeerAddress, SnapshotSource } from './transport-options.js';

export interface SnapshotJob {
  readonly peer: PeerAddress;
  readonly message: SnapshotMessage;
  readonly openState: () => SnapshotSource;
  /** Once, unless the sender is closed before. */
  readonly onEnded: (delivered: boolean) => void;
}

/**
 * Carries one snapshot over a connection of its own: what it is and how long, the state in chunks,
 * each once the system took the one before, then the SHA-256 of the state; the receiver confirms.
 */
export class SnapshotSender {
  readonly #connection: OutgoingConnection;
  #stall: TimerHandle | null = null;
  #ended = false;
  #allSent = false;
  #release: () => void = () => undefined;

  constructor(
    private readonly context: TransportContext,
    private readonly job: SnapshotJob,
  ) {
    this.#connection = new OutgoingConnection(context, job.peer, 'snapshot', {
      onOpen: () => void this.#stream().catch((error: unknown) => this.#fail(describe(error))),
      onFrame: (frame) => this.#take(frame),
      onFailed: (text) => this.#fail(text),
    });
  }

  /** Ends it without a report. */
  close(): void {
    this.#ended = true;
    this.#stall?.cancel();
    this.#connection.close();
    this.#release();
  }

  async #stream(): Promise<void> {
    this.#progress();
    const source = this.job.openState();
    const { length } = source;
    const { snapshotBytes, snapshotChunkBytes } = this.context.limits;
    if (length > snapshotBytes) {
      throw new Error(`its ${length} bytes exceed the limit of ${snapshotBytes}`);
    }
    await this.#write(oneFrame(FRAME.snapshotBegin, encodeBegin(this.job.message, length)));
    const hash = createHash('sha256');
    let sent = 0;
    for await (const piece of source) {
      if (sent + piece.length > length) throw new Error(`its state is longer than ${length} bytes`);
      for (let from = 0; from < piece.length; from += snapshotChunkBytes) {
        if (this.#ended) return;
        const chunk = piece.subarray(from, from + snapshotChunkBytes);
        hash.update(chunk);
        await this.#write(oneFrame(FRAME.snapshotChunk, chunk));
      }
      sent += piece.length;
      if (this.#ended) return;
    }
    if (sent !== length) throw new Error(`its state ended after ${sent} of ${length} bytes`);
    this.#allSent = true;
    await this.#write(oneFrame(FRAME.snapshotEnd, hash.digest()));
  }

  /** Resolves once the system took `bytes` or all is over. */
  async #write(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#release = resolve;
      this.#connection.write(bytes, resolve);
    });
    this.#progress();
  }

  #progress(): void {
    this.#stall?.cancel();
    if (this.#ended) return;
    const { snapshotStallMs } = this.context.limits;
    this.#stall = this.context.options.timer.after(snapshotStallMs, () => {
      this.#fail(`no progress for ${snapshotStallMs} ms`);
    });
  }

  #take({ kind }: ReceivedFrame): void {
    if (kind !== FRAME.snapshotReceived || !this.#allSent) {
      throw new ProtocolError('a frame that answers nothing');
    }
    this.#end(true);
  }

  #fail(text: string): void {
    if (this.#ended) return;
    const { peer, message } = this.job;
    this.context.options.onProblem(
      `the snapshot at index ${message.snapshot.index} did not reach ${printable(peer.id)}: ${text}`,
    );
    this.#end(false);
  }

  #end(delivered: boolean): void {
    if (this.#ended) return;
    this.close();
    this.job.onEnded(delivered);
  }
}

function encodeBegin(message: SnapshotMessage, length: number): Uint8Array {
  const writer = new ByteWriter(8 + messageBytes(message)).u64(length);
  writeMessage(writer, message);
  return writer.done();
}
