import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './failure.mjs';
import { readJson } from './files.mjs';
import { MARK } from './orphans.mjs';
import { CONTROL_PLANE, REPOSITORY } from './repository.mjs';
import { startService } from './service.mjs';

/**
 * @typedef {import('./service.mjs').Service} Service
 *
 * @typedef {object} ControlPlaneOptions
 * @property {import('./data-folder.mjs').DataFolder} data
 * @property {string} [name] of its process, where there are several
 * @property {string} [folder] of its own data; that of `data` if left out
 * @property {NodeJS.ProcessEnv} env settings of the control plane; the URLs of PostgreSQL and NATS
 *   travel here, not on the command line, where everybody could read the password
 * @property {string} logFile
 * @property {AbortSignal} [signal]
 * @property {(service: Service) => void} [onSpawn]
 */

const READY_DEADLINE_MS = 90_000;
/** The control plane gives its own orderly stop 20 s. */
const STOP_GRACE_MS = 25_000;
const REQUEST_DEADLINE_MS = 2_000;

/**
 * Starts the control plane from its build and waits until the next write would succeed.
 *
 * @param {ControlPlaneOptions} options
 * @returns {Promise<{ service: Service, url: string }>} `url`: base of REST
 */
export async function startControlPlane({ data, name, env, logFile, signal, onSpawn, ...node }) {
  if (!existsSync(CONTROL_PLANE))
    throw new Failure(`${CONTROL_PLANE} is missing: run npm run build.`);
  const folder = node.folder ?? data.path;
  /** @type {string | undefined} */
  let url;
  const service = await startService({
    name: name ?? 'control-plane',
    title: name ?? 'The control plane',
    command: process.execPath,
    args: [CONTROL_PLANE],
    env: { ...process.env, ...env, PAWL_DATA_DIR: folder, [MARK]: data.path },
    cwd: REPOSITORY,
    logFile,
    stopPlan: [{ signal: 'SIGTERM', graceMs: STOP_GRACE_MS }],
    ready: async ({ pid }) => {
      url ??= await addressOf(endpointsOf(folder), pid);
      return url !== undefined && (await isReady(url));
    },
    readyDeadlineMs: READY_DEADLINE_MS,
    ...(signal && { signal }),
    ...(onSpawn && { onSpawn }),
  });
  return { service, url: url ?? '' };
}

/** Where a node says what it listens on. */
export function endpointsOf(/** @type {string} */ folder) {
  return join(folder, 'endpoints.json');
}

/**
 * What that process, and no earlier one, says it listens on.
 *
 * @param {string} endpointsFile @param {number} pid
 * @returns {Promise<string | undefined>}
 */
async function addressOf(endpointsFile, pid) {
  const endpoints = await readJson(endpointsFile);
  if (endpoints?.processes?.controlPlane !== pid || !URL.canParse(endpoints.http)) return undefined;
  const url = new URL(endpoints.http);
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  if (url.hostname === '[::]') url.hostname = '[::1]';
  return url.origin;
}

/** @param {string} url */
async function isReady(url) {
  try {
    const answer = await fetch(`${url}/readyz`, {
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
