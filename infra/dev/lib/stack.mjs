import { join } from 'node:path';
import { keepLogBounded } from './logs.mjs';

/**
 * @typedef {import('./service.mjs').Service} Service
 * @typedef {ReturnType<typeof import('./launch-record.mjs').createRecorder>} Recorder
 */

/** Whatever happens, stopping ends within this: the sum of the parts' plans is below it. */
const STOP_DEADLINE_MS = 60_000;
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

  /** Stops all, last first; may be called again. Never rejects. */
  stop() {
    this.#stopping = true;
    this.#stopped ??= this.#stopInOrder();
    return this.#stopped;
  }

  async #stopInOrder() {
    clearInterval(this.timer);
    await this.recorder.enter('stopping');
    const deadline = setTimeout(() => void this.kill(), STOP_DEADLINE_MS);
    for (const service of [...this.#services].reverse()) await service.stop();
    clearTimeout(deadline);
    await this.recorder.close();
  }

  /** Ends all at once. */
  async kill() {
    this.#stopping = true;
    await Promise.all(this.#services.map((service) => service.stop({ force: true })));
  }
}

/** @param {string} logs @param {string} name */
export function logFileOf(logs, name) {
  return join(logs, `${name}.log`);
}
