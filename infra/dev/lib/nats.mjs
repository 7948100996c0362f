import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Failure, onFiles } from './failure.mjs';
import { replaceFile } from './files.mjs';
import { freePort, portInUse } from './ports.mjs';
import { startService } from './service.mjs';

/**
 * @typedef {import('./service.mjs').Service} Service
 *
 * @typedef {object} NatsOptions
 * @property {string} program path of nats-server
 * @property {string} folder of its configuration and of JetStream's streams
 * @property {string} logFile
 * @property {number} port 0: a free one
 * @property {AbortSignal} [signal]
 * @property {(service: Service) => void} [onSpawn]
 *
 * @typedef {object} RunningNats
 * @property {Service} service
 * @property {string} url
 * @property {number} port
 */

const HOST = '127.0.0.1';
const CONFIGURATION = 'nats-server.conf';
const READY_DEADLINE_MS = 60_000;
const INFO_DEADLINE_MS = 1_000;
const FREE_PORT_TRIES = 3;

/** @param {string} folder */
export function natsConfiguration(folder) {
  return join(folder, CONFIGURATION);
}

/**
 * Starts nats-server with JetStream, on loopback only.
 *
 * @param {NatsOptions} options
 * @returns {Promise<RunningNats>} rejects with `Failure` or `Stopped`
 */
export async function startNats(options) {
  const { folder } = options;
  await onFiles(folder, () => mkdir(folder, { recursive: true }));
  for (let tries = 1; ; tries += 1) {
    const port = options.port === 0 ? await freePort() : options.port;
    const name = `pawl-${randomBytes(6).toString('hex')}`;
    const text = configure({ folder, port, name });
    await onFiles(folder, () => replaceFile(natsConfiguration(folder), text));
    try {
      const service = await startServer(options, { port, name });
      return { service, url: `nats://${HOST}:${port}`, port };
    } catch (error) {
      const again = error instanceof PortTaken && options.port === 0 && tries < FREE_PORT_TRIES;
      if (!again) throw error;
    }
  }
}

/**
 * JSON's strings are strings of its configuration language, too. JetStream makes `jetstream` below
 * the store folder. The name tells this server from another at the same port.
 *
 * @param {{ folder: string, port: number, name: string }} of
 */
function configure({ folder, port, name }) {
  return [
    '# Written anew at every start.',
    `server_name: ${JSON.stringify(name)}`,
    `listen: ${JSON.stringify(`${HOST}:${port}`)}`,
    `jetstream { store_dir: ${JSON.stringify(folder)} }`,
    '',
  ].join('\n');
}

/** @param {NatsOptions} options @param {{ port: number, name: string }} server */
async function startServer({ program, folder, logFile, signal, onSpawn }, { port, name }) {
  return startService({
    name: 'nats',
    title: 'NATS',
    command: program,
    args: ['-c', natsConfiguration(folder)],
    logFile,
    stopPlan: [{ signal: 'SIGTERM', graceMs: 8_000 }],
    ready: () => hasJetStream(port, name),
    readyDeadlineMs: READY_DEADLINE_MS,
    explain: (complaint) => explain(complaint, port),
    ...(signal && { signal }),
    ...(onSpawn && { onSpawn }),
  });
}

/**
 * The server introduces itself, with what it offers, as soon as a client connects (NATS client
 * protocol, INFO).
 *
 * @param {number} port @param {string} name
 * @returns {Promise<boolean>}
 */
function hasJetStream(port, name) {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port, timeout: INFO_DEADLINE_MS });
    let text = '';
    const end = (/** @type {boolean} */ answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.includes('\r\n')) end(offersJetStream(text, name));
    });
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}

/** @param {string} introduction @param {string} name */
function offersJetStream(introduction, name) {
  try {
    const info = JSON.parse(introduction.slice('INFO '.length, introduction.indexOf('\r\n')));
    return info.server_name === name && info.jetstream === true;
  } catch {
    return false;
  }
}

class PortTaken extends Failure {}

/** @param {string} complaint @param {number} port */
function explain(complaint, port) {
  if (/address already in use/i.test(complaint)) {
    const wanted = { port, setting: 'PAWL_NATS_PORT', what: 'NATS' };
    return new PortTaken(portInUse(wanted).message);
  }
  if (/no space left on device/i.test(complaint)) {
    return new Failure('The disk is full: NATS cannot write its streams.');
  }
  return undefined;
}
