import { delay } from './delay.mjs';
import { asError, Failure, Stopped } from './failure.mjs';

/**
 * @typedef {import('./service.mjs').Service} Service
 * @typedef {import('./node-plan.mjs').PlannedNode} PlannedNode
 *
 * @typedef {object} NodeKeeperOptions
 * @property {(node: PlannedNode, signal: AbortSignal) => Promise<string>} start starts a node again;
 *   resolves with its base URL once it serves
 * @property {(node: PlannedNode) => Promise<void>} forget it was removed from the quorum
 * @property {(line: string) => void} say
 * @property {(error: Error) => void} giveUp no node runs any more, and none is started again
 * @property {number} [pauseMs] before a node is started again
 */

/** Longer than the lease of a node: the others have taken its shards over by then, to be seen. */
const PAUSE_MS = 6_000;
const MOST_DEATHS = 5;
const WITHIN_MS = 120_000;

/** Starts a node that died again, after a pause, as long as that does not become a habit. */
export class NodeKeeper {
  /** @type {Map<string, PlannedNode>} those that run or are started again */
  #kept = new Map();
  /** @type {Map<string, number[]>} when each died lately, milliseconds */
  #deaths = new Map();
  /** @type {Set<Promise<void>>} */
  #restarts = new Set();
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
   * @param {Service} service that ended though nobody asked it to
   * @param {string} sentence what happened to it
   */
  died({ name, tail }, sentence) {
    const node = this.#kept.get(name);
    if (node === undefined) return;
    if (!/was removed from the quorum/.test(tail())) this.#again(node, sentence);
    else this.#removed(node).catch((error) => this.options.say(asError(error).message));
  }

  /** Nothing is started any more once it resolves. */
  async close() {
    this.#stop.abort();
    await Promise.allSettled(this.#restarts);
  }

  /** @param {PlannedNode} node */
  async #removed(node) {
    this.options.say(
      `${node.id} was removed from the quorum and is not started again; npm start -- --nodes N adds another.`,
    );
    this.#drop(node);
    await this.options.forget(node);
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
    const restart = this.#restart(node).finally(() => this.#restarts.delete(restart));
    this.#restarts.add(restart);
  }

  /** @param {PlannedNode} node */
  async #restart(node) {
    const { signal } = this.#stop;
    try {
      await delay(this.#pauseMs, signal);
      this.options.say(`Starting ${node.id} again …`);
      const since = Date.now();
      const url = await this.options.start(node, signal);
      const seconds = ((Date.now() - since) / 1000).toFixed(1);
      this.options.say(`${node.id} is back at ${url}, after ${seconds} s.`);
    } catch (error) {
      if (signal.aborted || error instanceof Stopped) return;
      this.#again(node, asError(error).message);
    }
  }

  /** @param {PlannedNode} node */
  #drop(node) {
    this.#kept.delete(node.id);
    if (this.#kept.size > 0) return;
    this.options.giveUp(new Failure('No node is left that could be started. Stopping the rest.'));
  }
}
