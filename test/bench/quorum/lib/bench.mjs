import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEtcd } from '../../../../infra/dev/lib/etcd-binaries.mjs';
import { startEtcd } from '../../../../infra/dev/lib/etcd.mjs';
import { REPOSITORY } from '../../../../infra/dev/lib/repository.mjs';
import { Cluster } from './cluster.mjs';
import { startPawl } from './pawl.mjs';

/**
 * @typedef {object} ClusterOptions
 * @property {number} nodes
 * @property {{ heartbeatMs: number, electionMs: number }} [timing] else each side's own defaults
 */

/** What one run of the benches has: clusters of real processes on both sides, and progress. */
export class Bench {
  /** @type {Set<import('../../../../infra/dev/lib/service.mjs').Service>} */
  #services = new Set();
  #clusters = 0;
  /** Longest block of an event loop of ours, by what ran meanwhile. @type {Map<string, number>} */
  blocks = new Map();

  /**
   * @param {object} options
   * @param {string} options.program etcd's
   * @param {string} options.folder of all data
   * @param {number} options.passes
   * @param {import('../../../../infra/dev/lib/terminal.mjs').Terminal} options.terminal
   * @param {AbortSignal} options.signal
   */
  constructor({ program, folder, passes, terminal, signal }) {
    this.program = program;
    this.folder = folder;
    this.passes = passes;
    this.terminal = terminal;
    this.signal = signal;
  }

  /** Finds etcd, or fetches it. @param {Omit<ConstructorParameters<typeof Bench>[0], 'program' | 'folder'>} options */
  static async open({ passes, terminal, signal }) {
    const toolsFolder = join(REPOSITORY, '.pawl', 'tools');
    const { server } = await findEtcd({ toolsFolder, terminal, signal });
    const folder = await mkdtemp(join(tmpdir(), 'pawl-bench-quorum-'));
    return new Bench({ program: server, folder, passes, terminal, signal });
  }

  /**
   * A cluster of each side, of the same size and timing.
   *
   * @template T
   * @param {ClusterOptions} options
   * @param {(clusters: { pawl: Cluster, etcd: Cluster }) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async pair(options, work) {
    return this.with({ pawl: this.pawl(options), etcd: this.etcd(options) }, work);
  }

  /**
   * Runs `work` on clusters that are being started, and stops them after it.
   *
   * @template T, {string} N
   * @param {Record<N, Promise<Cluster>>} starting
   * @param {(clusters: Record<N, Cluster>) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async with(starting, work) {
    const names = Object.keys(starting);
    const clusters = await Promise.all(Object.values(starting));
    const result = await work(Object.fromEntries(names.map((name, at) => [name, clusters[at]])));
    await Promise.all(clusters.map((cluster) => cluster.stop()));
    return result;
  }

  /** @param {ClusterOptions} options */
  async pawl({ nodes, timing }) {
    const env =
      timing === undefined
        ? {}
        : {
            PAWL_HEARTBEAT_MS: String(timing.heartbeatMs),
            PAWL_ELECTION_MS: String(timing.electionMs),
          };
    return new Cluster(await startPawl({ ...this.#place(nodes), env }));
  }

  /** @param {ClusterOptions} options */
  async etcd({ nodes, timing }) {
    const args =
      timing === undefined
        ? []
        : [
            ...['--heartbeat-interval', String(timing.heartbeatMs)],
            ...['--election-timeout', String(timing.electionMs)],
          ];
    return new Cluster(await startEtcd({ program: this.program, ...this.#place(nodes), args }));
  }

  #place(nodes) {
    this.#clusters += 1;
    return {
      nodes,
      folder: join(this.folder, String(this.#clusters)),
      signal: this.signal,
      onSpawn: (service) => {
        this.#services.add(service);
        void service.exited.then(() => this.#services.delete(service));
      },
    };
  }

  /** Notes the longest block so far of our nodes' event loops. @param {string} during @param {Cluster} cluster */
  async noteBlocks(during, cluster) {
    for (const member of cluster.members) {
      const block = await member.longestBlockMs();
      this.blocks.set(during, Math.max(this.blocks.get(during) ?? 0, block));
    }
  }

  /** Shows that something goes on. @template T @param {string} label @param {(step: any) => Promise<T>} work @returns {Promise<T>} */
  async step(label, work) {
    const step = this.terminal.step(label);
    try {
      const result = await work(step);
      step.done();
      return result;
    } catch (error) {
      step.fail();
      throw error;
    }
  }

  /** Ends whatever still runs, and removes all data. */
  async close() {
    await Promise.all([...this.#services].map((service) => service.stop({ force: true })));
    await rm(this.folder, { recursive: true, force: true });
  }
}
