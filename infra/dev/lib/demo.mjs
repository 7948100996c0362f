import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { endpointsOf } from './control-plane.mjs';
import { openDataFolder } from './data-folder.mjs';
import { Failure, Stopped } from './failure.mjs';
import { readJson } from './files.mjs';
import { firstRollout } from './first-rollout.mjs';
import { FLEET_ADDRESS, FLEET_SIZE, startFleet } from './fleet.mjs';
import { describeFleetMessage } from './fleet-messages.mjs';
import { listenForStop, startedByNpm } from './interruption.mjs';
import { complain } from './launcher.mjs';
import { readRecord } from './launch-record.mjs';
import { takeLock } from './lock.mjs';
import { isAlive } from './process-identity.mjs';
import { readSettings, UsageError } from './settings.mjs';
import { createTerminal } from './terminal.mjs';

/**
 * @typedef {import('./terminal.mjs').Terminal} Terminal
 * @typedef {import('./data-folder.mjs').DataFolder} DataFolder
 * @typedef {import('./service.mjs').Service} Service
 */

const HELP = `Repeats the first rollout on the Pawl that npm start runs here.

Usage: npm run demo [-- OPTIONS]

Options:
  --overwrite      also where others than the demo wrote or released at its addresses
  --stay           keep the demo's consumers afterwards, and print what they apply, until Ctrl-C
  --data-dir DIR   data folder of the Pawl that runs (default: PAWL_DATA_DIR, or .pawl)
  --help           this text
`;
const FORCED = 130;

/**
 * `npm run demo`.
 *
 * @param {readonly string[]} args
 * @returns {Promise<number>} exit code
 */
export async function demo(args) {
  const terminal = createTerminal();
  try {
    const { help, settings, ...options } = readDemoOptions(args);
    if (help || settings === undefined) {
      terminal.line(HELP.trimEnd());
      return 0;
    }
    await repeat({ terminal, settings, ...options });
    return 0;
  } catch (error) {
    if (error instanceof Stopped) return 0;
    complain(terminal, error);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** @param {readonly string[]} args */
function readDemoOptions(args) {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        stay: { type: 'boolean' },
        overwrite: { type: 'boolean' },
        'data-dir': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    const why = error instanceof Error ? error.message.split('. ')[0] : String(error);
    throw new UsageError(`${why}. See npm run demo -- --help.`);
  }
  const folder = values['data-dir'];
  const settings = readSettings(folder === undefined ? [] : [`--data-dir=${folder}`], process.env);
  return {
    help: values.help === true,
    stay: values.stay === true,
    overwrite: values.overwrite === true,
    settings: settings === 'help' ? undefined : settings,
  };
}

/** @param {{ terminal: Terminal, stay: boolean, overwrite: boolean, settings: import('./settings.mjs').LauncherSettings }} options */
async function repeat({ terminal, stay, overwrite, settings }) {
  /** @type {Service | undefined} */
  let fleet;
  const { signal, dispose } = listenForStop({
    npm: startedByNpm(),
    onForce: () => void fleet?.stop({ force: true }).then(() => process.exit(FORCED)),
  });
  if (!existsSync(settings.dataFolder)) throw nothingRuns(settings.dataFolder);
  const data = await openDataFolder(settings.dataFolder);
  const { url, natsUrl } = await findRunning(data, settings);
  const lock = await takeLock(join(data.locks, 'demo'));
  if (!lock.held) throw new Failure(`A demo already runs here: process ${lock.holder.pid}.`);
  let telling = false;
  const start = async () => {
    if (await launcherHasFleet(data)) return;
    const step = terminal.step(`Starting ${FLEET_SIZE} consumers of ${FLEET_ADDRESS}`);
    fleet = await startFleet({
      data,
      natsUrl,
      installation: settings.installation,
      signal,
      onMessage: (message) => {
        if (telling) terminal.line(`fleet: ${describeFleetMessage(message)}`);
      },
    });
    step.done(`process ${fleet.pid}`);
  };
  try {
    await firstRollout({ url, terminal, signal, overwrite, startFleet: start });
    if (stay && fleet !== undefined) {
      telling = true;
      terminal.line('The consumers run on, and print what they apply, until Ctrl-C.');
      await Promise.race([aborted(signal), /** @type {Service} */ (fleet).exited]);
    }
  } catch (error) {
    throw signal.aborted ? new Stopped() : error;
  } finally {
    dispose();
    await fleet?.stop();
    await lock.release();
  }
}

/** @param {DataFolder} data @param {import('./settings.mjs').LauncherSettings} settings */
async function findRunning(data, settings) {
  const further = existsSync(data.nodes) ? (await readdir(data.nodes)).sort() : [];
  const files = [data.path, ...further.map((name) => join(data.nodes, name))].map(endpointsOf);
  for (const file of files) {
    const endpoints = await readJson(file);
    const url = endpoints?.http;
    const natsUrl = settings.nats.url ?? endpoints?.nats;
    const ready = typeof url === 'string' && (await answers(`${url}/readyz`));
    if (ready && typeof natsUrl === 'string') return { url, natsUrl };
  }
  throw nothingRuns(data.path);
}

/** @param {string} dataFolder */
function nothingRuns(dataFolder) {
  return new Failure(
    `No Pawl runs on ${dataFolder}: start it with npm start, ` +
      'or name the data folder of one that runs with PAWL_DATA_DIR.',
  );
}

/** @param {string} url */
async function answers(url) {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}

/** @param {DataFolder} data */
async function launcherHasFleet(data) {
  const record = await readRecord(data.record);
  return (record?.children ?? []).some((child) => child.name === 'demo-fleet' && isAlive(child));
}

/** @param {AbortSignal} signal @returns {Promise<void>} */
function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
