import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { MARK } from './orphans.mjs';
import { DEMO_FLEET, REPOSITORY } from './repository.mjs';
import { startService } from './service.mjs';

/**
 * @typedef {import('./service.mjs').Service} Service
 * @typedef {import('./fleet-messages.mjs').FleetMessage} FleetMessage
 *
 * @typedef {object} FleetOptions
 * @property {import('./data-folder.mjs').DataFolder} data
 * @property {string} natsUrl may hold a password: it travels in the environment
 * @property {string} installation
 * @property {(message: FleetMessage) => void} onMessage
 * @property {AbortSignal} [signal]
 * @property {(service: Service) => void} [onSpawn]
 */

export const FLEET_SIZE = 20;
export const FLEET_ADDRESS = 'acme/prod/checkout';

const READY_DEADLINE_MS = 30_000;

/**
 * Starts the demo's 20 consumers in a process of their own. The process ends by itself when the one
 * that started it is gone.
 *
 * @param {FleetOptions} options
 * @returns {Promise<Service>}
 */
export async function startFleet({ data, natsUrl, installation, onMessage, signal, onSpawn }) {
  if (!existsSync(DEMO_FLEET)) throw new Failure(`${DEMO_FLEET} is missing.`);
  let started = false;
  return startService({
    name: 'demo-fleet',
    title: 'The demo fleet',
    command: process.execPath,
    args: [
      DEMO_FLEET,
      `--installation=${installation}`,
      `--address=${FLEET_ADDRESS}`,
      `--count=${FLEET_SIZE}`,
      `--cache=${data.demoCache}`,
    ],
    env: { ...process.env, PAWL_NATS_URL: natsUrl, [MARK]: data.path },
    cwd: REPOSITORY,
    ipc: true,
    logFile: join(data.logs, 'demo-fleet.log'),
    stopPlan: [{ signal: 'SIGTERM', graceMs: 4_000 }],
    ready: () => started,
    readyDeadlineMs: READY_DEADLINE_MS,
    ...(signal && { signal }),
    onSpawn: (service) => {
      service.child.on('message', (message) => {
        const fleetMessage = /** @type {FleetMessage} */ (message);
        if (fleetMessage.type === 'started') started = true;
        onMessage(fleetMessage);
      });
      onSpawn?.(service);
    },
  });
}
