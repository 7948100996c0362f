import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { systemTime } from '../testing/system-time.js';
import { openQuorum } from './open-quorum.js';
import type { ClusterOptions, QuorumOptions } from './open-quorum.js';
import type { QuorumNode } from './quorum-node.js';

/** Below those that the system gives to connections. */
const PORTS = { from: 12_000, until: 32_000 };

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.until);
    const server = createServer();
    const outcome = new Promise<boolean>((resolve) => {
      server.once('listening', () => resolve(true)).once('error', () => resolve(false));
    });
    server.listen(port, '127.0.0.1');
    if (!(await outcome)) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Nodes of a quorum in this process, on real folders, over TCP. */
export class TcpQuorum {
  readonly nodes = new Map<string, QuorumNode>();
  readonly failures = new Map<string, Error>();
  readonly #folders: string;
  readonly #ports = new Map<string, number>();
  readonly #founders: readonly string[];
  readonly #options: Partial<QuorumOptions>;

  private constructor(
    folders: string,
    founders: readonly string[],
    options: Partial<QuorumOptions>,
  ) {
    this.#folders = folders;
    this.#founders = founders;
    this.#options = options;
  }

  static async found(
    founders: readonly string[],
    options: Partial<QuorumOptions> = {},
  ): Promise<TcpQuorum> {
    const folders = await mkdtemp(join(tmpdir(), 'pawl-quorum-'));
    const quorum = new TcpQuorum(folders, founders, options);
    for (const id of founders) quorum.#ports.set(id, await freePort());
    await Promise.all(founders.map((id) => quorum.start(id)));
    return quorum;
  }

  node(id: string): QuorumNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`${id} does not run`);
    return node;
  }

  dataDir(id: string): string {
    return join(this.#folders, id);
  }

  /** A port for a node that is no founder, as `host:port`. */
  async address(id: string): Promise<string> {
    const port = this.#ports.get(id) ?? (await freePort());
    this.#ports.set(id, port);
    return `127.0.0.1:${port}`;
  }

  async start(id: string, options: Partial<QuorumOptions> = {}): Promise<QuorumNode> {
    await this.address(id);
    const join = !this.#founders.includes(id);
    const others = this.#founders.filter((other) => other !== id);
    const cluster: ClusterOptions = {
      listen: { host: '127.0.0.1', port: this.#port(id) },
      peers: others.map((other) => ({ id: other, host: '127.0.0.1', port: this.#port(other) })),
      join,
    };
    const node = await openQuorum({
      dataDir: this.dataDir(id),
      nodeId: id,
      clock: systemTime,
      timer: systemTime,
      cluster,
      onFailure: (error) => this.failures.set(id, error),
      ...this.#options,
      ...options,
    });
    this.nodes.set(id, node);
    return node;
  }

  async stop(id: string): Promise<void> {
    const node = this.node(id);
    this.nodes.delete(id);
    await node.close();
  }

  /** Stops all nodes and removes what they kept. */
  async end(): Promise<void> {
    await Promise.allSettled([...this.nodes.values()].map((node) => node.close()));
    await rm(this.#folders, { recursive: true, force: true });
  }

  #port(id: string): number {
    const port = this.#ports.get(id);
    if (port === undefined) throw new Error(`${id} has no port`);
    return port;
  }
}
