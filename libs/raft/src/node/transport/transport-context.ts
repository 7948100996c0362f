import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { KnownFolders } from './known-folders.js';
import type { PeerAddress, TransportLimits, TransportOptions } from './transport-options.js';

/** What it takes to connect. */
export interface Dialling {
  readonly secure: SecureContext | null;
  /** Outgoing sockets that are not closed. */
  readonly dialled: Set<Socket>;
}

/** What all connections of one transport share. */
export interface TransportContext extends Dialling {
  readonly options: TransportOptions;
  readonly limits: TransportLimits;
  readonly folders: KnownFolders;
}

/** Starts to connect; the socket says `ready` when its first bytes can be sent. */
export function dial(
  { secure, dialled }: Dialling,
  { host, port }: PeerAddress,
): { readonly socket: Socket; readonly ready: 'connect' | 'secureConnect' } {
  const socket =
    secure === null
      ? connectTcp({ host, port })
      : connectTls({
          host,
          port,
          secureContext: secure,
          minVersion: 'TLSv1.3',
          rejectUnauthorized: true,
          checkServerIdentity: () => undefined,
        });
  socket.setNoDelay(true);
  dialled.add(socket);
  socket.once('close', () => dialled.delete(socket));
  return { socket, ready: secure === null ? 'connect' : 'secureConnect' };
}

/** For people. */
export function addressOf(peer: PeerAddress): string {
  return peer.host.includes(':') ? `[${peer.host}]:${peer.port}` : `${peer.host}:${peer.port}`;
}

/** Counts equal intervals without a sign of life; a process that was paused counts only one. */
export class SilenceWatch {
  #ticks = 0;
  #timer: { cancel(): void } | null = null;

  /** `tick` runs at every interval, `silent` once, instead, when life was missing for too long. */
  constructor(
    private readonly context: TransportContext,
    private readonly tick: () => void,
    private readonly silent: () => void,
  ) {}

  start(): void {
    const { options, limits } = this.context;
    this.#timer = options.timer.after(limits.pingMs, () => {
      this.#ticks += 1;
      if (this.#ticks * limits.pingMs >= limits.silenceMs) {
        this.#timer = null;
        this.silent();
        return;
      }
      this.start();
      this.tick();
    });
  }

  heard(): void {
    this.#ticks = 0;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
