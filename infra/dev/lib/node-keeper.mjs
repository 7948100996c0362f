import { delay } from './delay.mjs';
import { asError, Failure, Stopped } from './failure.mjs';

/**
 * @typedef {import('./service.mjs').Service} Service
 * @typedef {import('./node-plan.mjs').PlannedNode} PlannedNode
 *
 * @typedef {object} NodeKeeperOptions
 * @property {(node: PlannedNode, signal: AbortSignal) => Promise<string>} start starts a node again;
 *   resolves with its base URL once it serves, rejects with `RemovedNode`
 * @property {(node: PlannedNode) => Promise<unknown>} forget it was removed from the quorum
 * @property {(line: string) => void} say
 * @property {(error: Error) => void} giveUp no node runs any more, and none is started again
 * @property {number} [pauseMs] before a node is started again
 * @property {number} [tellEveryMs] while it is starting
 */

/** Longer than the lease of a node: the others have taken its shards over by then, to be seen. */
const PAUSE_MS = 6_000;
const TELL_EVERY_MS = 5_000;
const MOST_DEATHS = 5;
const WITHIN_MS = 120_000;

/** A node ended while it was starting because its member was removed from the quorum. */
export class RemovedNode extends Error {}

/**
 * Whether a node ended because its member was removed from the quorum, of which it learns itself.
 *
 * @param {Pick<Service, 'tail'>} service
 */
export function wasRemoved({ tail }) {
  return /was removed from the quorum/.test(tail());
}

/**
 * Starts a node that died again, after a pause, as long as that does not become a habit; forgets one
 * that was removed from the quorum.
 */
export class NodeKeeper {
  /** @type {Map<string, PlannedNode>} those that run or are started again */
  #kept = new Map();
  /** @type {Map<string, number[]>} when each died lately, milliseconds */
  #deaths = new Map();
  /** @type {Map<string, { node: PlannedNode, service: Service }>} the last process of each */
  #last = new Map();
  /** @type {Set<Promise<void>>} restarts and removals under way */
  #work = new Set();
  #stop = new AbortController();
  #pauseMs;

  /** @param {NodeKeeperOptions} options */
  constructor(options) {
    this.options = options;
    this.#pauseMs = options.pauseMs ?? PAUSE_MS;
  }

  keep(/** @type {PlannedNode} */ node) {
    this.#kept.set(node.id, node);
  }

  keeps(/** @type {string} */ name) {
    return this.#kept.has(name);
  }

  /**
   * From the first moment of each of its processes.
   *
   * @param {PlannedNode} node @param {Service} service
   */
  spawned(node, service) {
    this.#last.set(node.id, { node, service });
  }

  /**
   * @param {Service} service that ended though nobody asked it to
   * @param {string} sentence what happened to it
   */
  died(service, sentence) {
    const node = this.#kept.get(service.name);
    if (node === undefined) return;
    if (wasRemoved(service)) this.#track(this.#removed(node));
    else this.#again(node, sentence);
  }

  /**
   * A node turned out, while it was starting or stopping, to have been removed from the quorum.
   *
   * @param {PlannedNode} node
   */
  async forget(node) {
    this.#last.delete(node.id);
    this.options.say(`${node.id} was removed from the quorum; its member's files are removed.`);
    await this.options.forget(node);
  }

  /** Nothing is started any more once it resolves. */
  async close() {
    this.#stop.abort();
    await Promise.allSettled(this.#work);
  }

  /** Once all have ended: a node can learn of its removal while it stops. Never rejects. */
  async forgetRemoved() {
    for (const { node, service } of [...this.#last.values()]) {
      if (!wasRemoved(service)) continue;
      await this.forget(node).catch((error) => this.options.say(asError(error).message));
    }
  }

  /** @param {PlannedNode} node */
  async #removed(node) {
    this.#last.delete(node.id);
    this.options.say(
      `${node.id} was removed from the quorum and is not started again; npm start -- --nodes N adds another.`,
    );
    this.#drop(node);
    try {
      await this.options.forget(node);
    } catch (error) {
      this.options.say(asError(error).message);
    }
  }

  /** @param {Promise<void>} work that never rejects */
  #track(work) {
    const tracked = work.finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  /** @param {PlannedNode} node @param {string} sentence */
  #again(node, sentence) {
    const { say } = this.options;
    const now = Date.now();
    const deaths = (this.#deaths.get(node.id) ?? []).filter((at) => now - at < WITHIN_MS);
    this.#deaths.set(node.id, [...deaths, now]);
    if (deaths.length + 1 >= MOST_DEATHS) {
      say(`${sentence} It did so ${MOST_DEATHS} times in a short time and is not started again.`);
      this.#drop(node);
      return;
    }
    say(
      `${sentence} The others take its shards over; it is started again in ${this.#pauseMs / 1000} s.`,
    );
    this.#track(this.#restart(node));
  }

  /** @param {PlannedNode} node */
  async #restart(node) {
    const { signal } = this.#stop;
    try {
      await delay(this.#pauseMs, signal);
      const since = Date.now();
      const seconds = () => `${((Date.now() - since) / 1000).toFixed(1)} s`;
      const label = `Starting ${node.id} again …`;
      this.options.say(label);
      const { tellEveryMs = TELL_EVERY_MS } = this.options;
      const timer = setInterval(() => this.options.say(`${label} ${seconds()}`), tellEveryMs);
      const starting = this.options.start(node, signal);
      const url = await starting.finally(() => clearInterval(timer));
      this.options.say(`${node.id} is back at ${url}, after ${seconds()}.`);
    } catch (error) {
      if (signal.aborted || error instanceof Stopped) return;
      if (error instanceof RemovedNode) await this.#removed(node);
      else this.#again(node, asError(error).message);
    }
  }

  /** @param {PlannedNode} node */
  #drop(node) {
    this.#kept.delete(node.id);
    if (this.#kept.size > 0) return;
    this.options.giveUp(new Failure('No node is left that could be started. Stopping the rest.'));
  }
}
