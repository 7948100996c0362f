import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { Timer } from '@pawl/kernel';
import type { NodeId } from '../../core/index.js';
import { ByteWriter } from '../bytes.js';
import {
  decodeWelcome,
  encodeHello,
  HANDSHAKE_FRAME_BYTES,
  NOT_YET_KNOWN,
  PROTOCOL,
} from './handshake.js';
import type { NodeIdentity } from './handshake.js';
import { strictly } from './message-codec.js';
import { RequestError } from './outgoing-requests.js';
import { FRAME, FrameReader, oneFrame } from './peer-frame.js';
import type { ReceivedFrame } from './peer-frame.js';
import { describe, printable } from './protocol-error.js';
import { readResponse, writeRequest } from './request-codec.js';
import { addressOf, dial } from './transport-context.js';
import type { Dialling } from './transport-context.js';
import { DEFAULT_TRANSPORT_LIMITS } from './transport-options.js';
import type { PeerAddress, PeerTls } from './transport-options.js';

interface AskingContext extends Dialling {
  readonly options: { readonly self: NodeIdentity; readonly timer: Timer };
  readonly limits: { readonly frameBytes: number };
}

export interface StrangerOptions {
  readonly nodeId: NodeId;
  readonly clusterId: string;
  readonly tls?: PeerTls;
  readonly timer: Timer;
  /** From now. */
  readonly deadlineMs: number;
}

/** {@link askAnybody} for a node that is not open yet. */
export function askAsStranger(
  { nodeId, clusterId, tls, timer, deadlineMs }: StrangerOptions,
  at: PeerAddress,
  body: Uint8Array,
): Promise<Uint8Array> {
  const self = { id: nodeId, clusterId, folderId: NOT_YET_KNOWN };
  const secure = tls === undefined ? null : createSecureContext({ ...tls, minVersion: 'TLSv1.3' });
  const limits = DEFAULT_TRANSPORT_LIMITS;
  const context = { secure, dialled: new Set<Socket>(), options: { self, timer }, limits };
  return askAnybody(context, at, body, deadlineMs);
}

/**
 * Asks one thing over a connection of its own, of whoever of the cluster listens there: neither side
 * need know the other. Rejects with a {@link RequestError}, `deadlineMs` from now at the latest.
 */
export function askAnybody(
  context: AskingContext,
  at: PeerAddress,
  body: Uint8Array,
  deadlineMs: number,
): Promise<Uint8Array> {
  const { self, timer } = context.options;
  const { socket, ready } = dial(context, at);
  return new Promise<Uint8Array>((resolve, reject) => {
    const fail = (why: string, outcome: 'unknown' | 'refused' = 'unknown'): void => {
      deadline.cancel();
      reject(new RequestError(outcome, `${printable(at.id)} at ${addressOf(at)} ${why}`));
      socket.destroy();
    };
    const deadline = timer.after(deadlineMs, () => {
      fail(`did not answer within ${deadlineMs} ms`);
    });
    const frames = new FrameReader(HANDSHAKE_FRAME_BYTES);
    const take = (frame: ReceivedFrame): void => {
      if (frame.kind === FRAME.welcome) {
        const { clusterId } = decodeWelcome(frame.body).self;
        if (clusterId !== self.clusterId) return fail('belongs to another cluster', 'refused');
        frames.maxBytes = context.limits.frameBytes;
        const writer = new ByteWriter();
        writeRequest(writer, { id: 1, content: body });
        socket.write(oneFrame(FRAME.request, writer.done()));
      } else if (frame.kind === FRAME.response) {
        const { ok, content } = readResponse(frame.body);
        if (!ok) return fail(`refuses: ${printable(Buffer.from(content).toString())}`, 'refused');
        deadline.cancel();
        resolve(content);
        socket.destroy();
      } else {
        fail(`refuses: ${printable(strictly(frame.body, (reader) => reader.text()))}`, 'refused');
      }
    };
    socket.once(ready, () => {
      const hello = { ...PROTOCOL, purpose: 'question', self, target: at.id } as const;
      socket.write(oneFrame(FRAME.hello, encodeHello(hello)));
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of frames.read(chunk)) if (!socket.destroyed) take(frame);
      } catch (error) {
        fail(`sent ${describe(error)}`);
      }
    });
    socket.on('error', (error) => fail(describe(error)));
    socket.on('close', () => fail('closed the connection'));
  });
}
