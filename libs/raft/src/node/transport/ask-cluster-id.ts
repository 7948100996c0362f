import type { Timer } from '@pawl/kernel';
import { createSecureContext } from 'node:tls';
import type { NodeId } from '../../core/index.js';
import {
  decodeWelcome,
  encodeHello,
  HANDSHAKE_FRAME_BYTES,
  NOT_YET_KNOWN,
  PROTOCOL,
} from './handshake.js';
import { strictly } from './message-codec.js';
import { FRAME, FrameReader, oneFrame } from './peer-frame.js';
import { describe, printable } from './protocol-error.js';
import { addressOf, dial } from './transport-context.js';
import type { Dialling } from './transport-context.js';
import type { PeerAddress, PeerTls } from './transport-options.js';

/** Between two attempts to reach a peer. */
const RETRY_MS = 100;

export interface AskOptions {
  /** Of the node that asks. */
  readonly nodeId: NodeId;
  readonly peers: readonly PeerAddress[];
  readonly tls?: PeerTls;
  readonly timer: Timer;
  /** From now. */
  readonly deadlineMs: number;
}

/** None of the peers said which cluster it belongs to. */
export class NoClusterError extends Error {
  override readonly name = 'NoClusterError';
}

/**
 * Learns which cluster the peers belong to: the first that answers says it, who does not is asked
 * again. Rejects with a {@link NoClusterError} at the deadline, which names what came of each.
 */
export async function askClusterId(options: AskOptions): Promise<string> {
  const { peers, tls, timer, deadlineMs } = options;
  const secure = tls === undefined ? null : createSecureContext({ ...tls, minVersion: 'TLSv1.3' });
  const dialling: Dialling = { secure, dialled: new Set() };
  const problems = new Map(peers.map((peer) => [peer.id, 'did not answer']));
  let over = false;
  const pauses = new Set<() => void>();
  const askUntilOver = async (peer: PeerAddress): Promise<string> => {
    for (;;) {
      try {
        return await askOne(dialling, options.nodeId, peer);
      } catch (error) {
        if (over) throw error;
        problems.set(peer.id, describe(error));
        await pause(timer, RETRY_MS, pauses);
        if (over) throw error;
      }
    }
  };
  let expire = (): void => undefined;
  const expired = new Promise<null>((resolve) => (expire = () => resolve(null)));
  const deadline = timer.after(deadlineMs, expire);
  const asked = peers.map(askUntilOver);
  try {
    const clusterId = await Promise.race([expired, ...asked]);
    if (clusterId !== null) return clusterId;
  } finally {
    over = true;
    deadline.cancel();
    for (const socket of dialling.dialled) socket.destroy();
    for (const end of pauses) end();
    await Promise.allSettled(asked);
  }
  const each = peers.map((peer) => {
    return `${printable(peer.id)} at ${addressOf(peer)}: ${problems.get(peer.id)}`;
  });
  throw new NoClusterError(
    `no peer said within ${deadlineMs} ms which cluster it belongs to (${each.join('; ')})`,
  );
}

function askOne(dialling: Dialling, id: NodeId, peer: PeerAddress): Promise<string> {
  const { socket, ready } = dial(dialling, peer);
  return new Promise<string>((resolve, reject) => {
    const frames = new FrameReader(HANDSHAKE_FRAME_BYTES);
    const self = { id, clusterId: NOT_YET_KNOWN, folderId: NOT_YET_KNOWN };
    socket.once(ready, () => {
      const hello = { ...PROTOCOL, purpose: 'identity', self, target: peer.id } as const;
      socket.write(oneFrame(FRAME.hello, encodeHello(hello)));
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const { kind, body } of frames.read(chunk)) {
          if (kind === FRAME.welcome) resolve(decodeWelcome(body).self.clusterId);
          else reject(new Error(strictly(body, (reader) => reader.text())));
        }
      } catch (error) {
        reject(error instanceof Error ? error : new Error(describe(error)));
      }
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed the connection')));
  }).finally(() => socket.destroy());
}

/** Ends early by what it puts into `pauses`. */
function pause(timer: Timer, ms: number, pauses: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      handle.cancel();
      pauses.delete(end);
      resolve();
    };
    const handle = timer.after(ms, end);
    pauses.add(end);
  });
}
