import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { addressText } from '../quorum/peer-address.js';
import { explainListen } from './member-start-error.js';

/** A port that is this process's, before anything serves there: who connects is turned away. */
export interface TakenPort {
  /** To be given to the `listen` of the server that is to serve there, whose it is from then on. */
  readonly server: Server;
  /** Gives the port up, whoever has it. */
  release(): Promise<void>;
}

/** What a port is for: in words, and the beginning of the names of its settings (`PAWL_ETCD`). */
export interface PortUse {
  readonly what: string;
  readonly setting: string;
}

/** Takes a port; 0: any that is free. Throws a {@link MemberStartError} when it cannot be had. */
export async function takePort(
  { host, port }: { readonly host: string; readonly port: number },
  use: PortUse,
): Promise<TakenPort> {
  const server = createServer((socket) => socket.destroy());
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw explainListen(error, { address: addressText({ host, port }), ...use });
  }
  const release = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return { server, release };
}
