import { join } from 'node:path';
import { keepLogBounded } from './logs.mjs';

/**
 * @typedef {import('./service.mjs').Service} Service
 * @typedef {ReturnType<typeof import('./launch-record.mjs').createRecorder>} Recorder
 */

/** Whatever happens, stopping ends within this: the sum of the parts' plans is below it. */
const STOP_DEADLINE_MS = 60_000;
/** Of a demo fleet, a control plane, NATS and PostgreSQL; what is beyond are more control planes. */
const PARTS = 4;
const MORE_DEADLINE_MS = 25_000;
const LOGS_EVERY_MS = 30_000;

/** The processes beside the launcher: the later ones depend on the earlier ones. */
export class Stack {
  /** @type {Service[]} */
  #services = [];
  #stopping = false;
  /** @type {Promise<void> | undefined} */
  #stopped;

  /**
   * @param {Recorder} recorder
   * @param {(service: Service) => void} onDeath a service ended though nobody asked it to
   */
  constructor(recorder, onDeath) {
    this.recorder = recorder;
    this.onDeath = onDeath;
    this.timer = setInterval(() => {
      for (const { logFile } of this.#services) void keepLogBounded(logFile);
    }, LOGS_EVERY_MS);
    this.timer.unref();
  }

  /** As `onSpawn` of a service: from its first moment it is recorded and will be stopped. */
  add = (/** @type {Service} */ service) => {
    this.#services.push(service);
    void this.recorder.add(service);
    void service.exited.then(() => {
      this.#services = this.#services.filter((other) => other !== service);
      void this.recorder.remove(service.name);
    });
  };

  /** From here on a death is reported; before, the start itself tells. */
  watch(/** @type {Service} */ service) {
    void service.exited.then(() => {
      if (!this.#stopping) this.onDeath(service);
    });
  }

  /** Stops all, last first, see `inGroups`; may be called again. Never rejects. */
  stop() {
    this.#stopping = true;
    this.#stopped ??= this.#stopInOrder();
    return this.#stopped;
  }

  async #stopInOrder() {
    clearInterval(this.timer);
    await this.recorder.enter('stopping');
    const more = Math.max(0, this.#services.length - PARTS);
    const deadlineMs = STOP_DEADLINE_MS + more * MORE_DEADLINE_MS;
    const deadline = setTimeout(() => void this.kill(), deadlineMs);
    for (const group of inGroups([...this.#services].reverse())) {
      await Promise.all(group.map((service) => service.stop()));
    }
    clearTimeout(deadline);
    await this.recorder.close();
  }

  /** Ends all at once. */
  async kill() {
    this.#stopping = true;
    await Promise.all(this.#services.map((service) => service.stop({ force: true })));
  }
}

/**
 * One after the other, but for the last nodes without which the quorum has no majority: the one that
 * would be left alone could not hand anything over, and would wait for that.
 *
 * @param {readonly Service[]} services
 * @returns {readonly (readonly Service[])[]}
 */
function inGroups(services) {
  const nodes = services.filter(({ name }) => /^node-\d+$/.test(name));
  const last = nodes.slice(Math.ceil(nodes.length / 2) - 1);
  return services.flatMap((service) => {
    if (!last.includes(service)) return [[service]];
    return service === last[0] ? [last] : [];
  });
}

/** @param {string} logs @param {string} name */
export function logFileOf(logs, name) {
  return join(logs, `${name}.log`);
}
