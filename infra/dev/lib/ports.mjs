import { connect, createServer } from 'node:net';
import { Failure } from './failure.mjs';

const HOST = '127.0.0.1';
/** Systems hand out ports for outgoing connections above this; a server there meets them. */
const LOWEST = 20_000;
const HIGHEST = 32_767;
const TRIES = 50;

/**
 * Whether nothing listens at the port now.
 *
 * @param {number} port
 * @param {string} [host]
 * @returns {Promise<true | NodeJS.ErrnoException>} what the system says when it is not free
 */
export function isFree(port, host = HOST) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error) => resolve(/** @type {NodeJS.ErrnoException} */ (error)));
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A port that is free now, outside the range of outgoing connections. */
export async function freePort() {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1));
    if ((await isFree(port)) === true) return port;
  }
  throw new Failure(`No free port was found between ${LOWEST} and ${HIGHEST}.`);
}

/**
 * @typedef {{ port: number, setting?: string, what: string, host?: string }} WantedPort without a
 *   setting it is recorded, and stays
 *
 * All that the launcher is to have listen itself.
 *
 * @param {import('./settings.mjs').LauncherSettings} settings
 * @param {readonly import('./node-plan.mjs').PlannedNode[]} [nodes] several control planes
 * @returns {readonly WantedPort[]}
 */
export function portsOf({ http, quorum, postgres, nats }, nodes) {
  const rest = { ...http, setting: 'PAWL_HTTP_PORT', what: 'REST' };
  const several = (nodes ?? []).flatMap(({ id, ports, isRecorded }) => [
    { ...rest, port: ports.http, what: `REST of ${id}` },
    ...quorum.map(({ host, setting, what }) => ({
      host,
      what: `${what}, ${id}`,
      ...(setting === 'PAWL_PEER_PORT'
        ? { port: ports.peer, ...(!isRecorded && { setting }) }
        : { port: ports.etcd, setting }),
    })),
  ]);
  const postgresPort = { ...postgres, setting: 'PAWL_POSTGRES_PORT', what: 'PostgreSQL' };
  const natsPort = { ...nats, setting: 'PAWL_NATS_PORT', what: 'NATS' };
  return [
    ...(nodes === undefined ? [rest, ...quorum] : several),
    ...(postgres.url === undefined ? [postgresPort] : []),
    ...(nats.url === undefined ? [natsPort] : []),
  ];
}

/** Refuses, in one sentence, a port that two are to have. */
export function assertDistinct(/** @type {readonly WantedPort[]} */ all) {
  for (const [at, { port, what, setting }] of all.entries()) {
    const other = all.slice(0, at).find((one) => one.port === port && port !== 0);
    if (other === undefined) continue;
    const settings = [other.setting, setting].filter((name) => name !== undefined);
    throw new Failure(
      `${other.what} and ${what} would both have port ${port}: ` +
        `set ${settings.join(' or ')} to another one.`,
    );
  }
}

/**
 * Refuses, in one sentence, ports that are taken: all of them, not one after the other.
 *
 * @param {readonly WantedPort[]} wanted
 */
export async function assertFree(wanted) {
  const taken = [];
  for (const one of wanted) if (await isTaken(one)) taken.push(one);
  const [first, ...more] = taken;
  if (first === undefined) return;
  throw more.length === 0 ? portInUse(first) : portsInUse(taken);
}

/** @param {WantedPort} wanted */
async function isTaken({ port, setting, what, host = HOST }) {
  if (port === 0) return false;
  const answer = await isFree(port, host);
  if (answer === true) return false;
  if (answer.code === 'EADDRINUSE') return true;
  if (answer.code === 'EACCES') {
    throw new Failure(
      `No permission to listen on port ${port} (${what}): set ${setting ?? 'PAWL_PEER_PORT'} to a port above 1023.`,
    );
  }
  throw new Failure(`${what} cannot listen on ${host}:${port}: ${answer.message}.`);
}

/** @param {readonly WantedPort[]} taken several */
function portsInUse(taken) {
  const list = taken.map(({ port, what }) => `${port} (${what})`).join(', ');
  const settings = new Set(taken.flatMap(({ setting }) => setting ?? []));
  const fixed = taken.filter(({ setting }) => setting === undefined).map(({ port }) => port);
  return new Failure(
    `Ports ${list} are in use by other programs: stop those` +
      (settings.size === 0
        ? ''
        : `, or set ${[...settings].join(', ')} to other ports (0 takes a free one)`) +
      (fixed.length === 0
        ? '.'
        : `; the other nodes look for one of theirs at ${fixed.join(', ')}.`),
  );
}

/** @param {WantedPort} wanted */
export function portInUse({ port, setting, what }) {
  if (setting === undefined) {
    return new Failure(
      `Port ${port} (${what}) is in use by another program: stop that; the other nodes look for ` +
        'this one there.',
    );
  }
  return new Failure(
    `Port ${port} (${what}) is in use by another program: stop that, ` +
      `or set ${setting} to another port (0 takes a free one).`,
  );
}

/**
 * Refuses, in one sentence, a server that was named in a setting and does not answer.
 *
 * @param {{ url: string, setting: string, what: string, defaultPort: number, deadlineMs?: number }} server
 */
export async function assertReachable({ url, setting, what, defaultPort, deadlineMs = 5_000 }) {
  const { host, port } = hostAndPort(url, setting, defaultPort);
  if (host === '') return;
  const error = await new Promise((resolve) => {
    const socket = connect({ host, port, timeout: deadlineMs });
    const end = (/** @type {string | undefined} */ problem) => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end(`no answer within ${deadlineMs / 1000} s`));
    socket.once('error', (problem) =>
      end(/** @type {NodeJS.ErrnoException} */ (problem).code ?? problem.message),
    );
  });
  if (error === undefined) return;
  throw new Failure(
    `${what} at ${host}:${port}, named by ${setting}, cannot be reached (${error}): ` +
      `start it, or leave ${setting} out to run one of our own.`,
  );
}

/**
 * No host: a socket file is meant.
 *
 * @param {string} url @param {string} setting @param {number} defaultPort
 */
function hostAndPort(url, setting, defaultPort) {
  const first = url.split(',')[0]?.trim() ?? '';
  const text = first.includes('://') ? first : `nats://${first}`;
  if (!URL.canParse(text)) throw new Failure(`${setting} is not a URL.`);
  const { hostname, port } = new URL(text);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || defaultPort),
  };
}
