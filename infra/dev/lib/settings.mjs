import { parseArgs } from 'node:util';
import { resolve } from 'node:path';
import { Failure } from './failure.mjs';

/**
 * @typedef {object} LauncherSettings
 * @property {string} dataFolder absolute
 * @property {boolean} demo
 * @property {{ url: string | undefined, port: number }} postgres
 * @property {{ url: string | undefined, port: number }} nats
 * @property {{ host: string, port: number }} http
 * @property {readonly { host: string, port: number, setting: string, what: string }[]} quorum where
 *   the control plane's member of the quorum listens
 * @property {string} installation
 * @property {number | undefined} nodes how many control planes; as many as the data folder has if left out
 * @property {readonly string[]} singular settings that were given and make sense for one node only
 */

export const HELP = `Starts Pawl on this machine: PostgreSQL, NATS, the control plane, and on the first start a demo.

Usage: npm start [-- OPTIONS]

Options:
  --nodes N        1, 3 or 5 control planes, which form one quorum (default: as many as the data
                   folder has, 1 in a new one)
  --no-demo        no demo: neither the first rollout nor the fleet of 20 consumers
  --data-dir DIR   everything that is kept (default: PAWL_DATA_DIR, or .pawl)
  --help           this text

Settings are environment variables; the README lists them all. Those of the launcher:
  PAWL_DATA_DIR        .pawl
  PAWL_HTTP_PORT       7400, REST (0 takes a free port, here and below); of each further node 1 higher
  PAWL_POSTGRES_PORT   7432, or PAWL_POSTGRES_URL: a PostgreSQL of your own
  PAWL_NATS_PORT       7422, or PAWL_NATS_URL: a NATS server with JetStream of your own
  PAWL_PEER_PORT       7480, where members of the quorum talk; of each further node 10 higher
  PAWL_ETCD_PORT       7479, the coordination API; of each further node 10 higher

Ctrl-C stops everything; what was written is there at the next start.
`;

/** Wrong usage: exit code 2. */
export class UsageError extends Failure {}

/**
 * Reads the options and the settings that the launcher itself needs.
 *
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {'help' | LauncherSettings}
 */
export function readSettings(args, env) {
  const options = readOptions(args);
  if (options.help === true) return 'help';
  refuseFarPeers(env);
  return {
    dataFolder: resolve(options['data-dir'] ?? given(env, 'PAWL_DATA_DIR') ?? '.pawl'),
    demo: options['no-demo'] !== true,
    postgres: {
      url: given(env, 'PAWL_POSTGRES_URL'),
      port: readPort(env, 'PAWL_POSTGRES_PORT', 7432),
    },
    nats: { url: given(env, 'PAWL_NATS_URL'), port: readPort(env, 'PAWL_NATS_PORT', 7422) },
    http: {
      host: given(env, 'PAWL_HTTP_HOST') ?? '127.0.0.1',
      port: readPort(env, 'PAWL_HTTP_PORT', 7400),
    },
    quorum: readQuorum(env),
    installation: given(env, 'PAWL_INSTALLATION') ?? 'main',
    nodes: readNodes(options.nodes),
    singular: SINGULAR.filter(
      (name) => !['false', 'embedded'].includes(given(env, name) ?? 'false'),
    ),
  };
}

/**
 * What this launcher starts beside the control plane serves this host only.
 *
 * @param {NodeJS.ProcessEnv} env
 */
function refuseFarPeers(env) {
  const hosts = (given(env, 'PAWL_PEERS') ?? '')
    .split(',')
    .map((peer) => /=(.+):[0-9]+\s*$/.exec(peer)?.[1] ?? 'localhost');
  const near = /^(\[::1\]|127(\.[0-9]{1,3}){3}|([a-z0-9.-]+\.)?localhost)$/i;
  const missing = ['PAWL_POSTGRES_URL', 'PAWL_NATS_URL'].find((name) => !given(env, name));
  if (missing === undefined || hosts.every((host) => near.test(host))) return;
  throw new Failure(
    `PAWL_PEERS names other hosts, which an embedded PostgreSQL or NATS does not serve: set ${missing}.`,
  );
}

/** Of one node, or of a quorum that is put together by hand. */
const SINGULAR = [
  'PAWL_NODE_ID',
  'PAWL_PEERS',
  'PAWL_JOIN',
  'PAWL_FORCE_NEW_CLUSTER',
  'PAWL_PEER_ADVERTISE',
  'PAWL_ETCD_ADVERTISE',
  'PAWL_ETCD_CERT',
  'PAWL_METADATA',
];

/** @param {string | undefined} text */
function readNodes(text) {
  if (text === undefined) return undefined;
  if (['1', '3', '5'].includes(text)) return Number(text);
  throw new UsageError(
    `--nodes must be 1, 3 or 5, not ${JSON.stringify(text.slice(0, 40))}: ` +
      'a quorum of an even number survives no more than one of one node less.',
  );
}

/** @param {NodeJS.ProcessEnv} env */
function readQuorum(env) {
  if (given(env, 'PAWL_METADATA')?.startsWith('etcd:')) return [];
  return [
    listener(env, { name: 'PAWL_PEER', preset: 7480, what: 'quorum members' }),
    listener(env, { name: 'PAWL_ETCD', preset: 7479, what: 'coordination API' }),
  ];
}

/** @param {NodeJS.ProcessEnv} env @param {{ name: string, preset: number, what: string }} of */
function listener(env, { name, preset, what }) {
  const setting = `${name}_PORT`;
  const host = given(env, `${name}_HOST`) ?? '127.0.0.1';
  return { host, port: readPort(env, setting, preset), setting, what };
}

/** @param {readonly string[]} args */
function readOptions(args) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        'no-demo': { type: 'boolean' },
        'data-dir': { type: 'string' },
        nodes: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values['data-dir'] === '') throw new Error("Option '--data-dir' needs a folder");
    return values;
  } catch (error) {
    const why = error instanceof Error ? error.message.split('. ')[0] : String(error);
    throw new UsageError(`${why}. See npm start -- --help.`);
  }
}

/** @param {NodeJS.ProcessEnv} env @param {string} name an empty variable counts as not set */
function given(env, name) {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

/** @param {NodeJS.ProcessEnv} env @param {string} name @param {number} preset */
function readPort(env, name, preset) {
  const text = given(env, name);
  if (text === undefined) return preset;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new Failure(
    `${name} must be a port, 0 to 65535, not ${JSON.stringify(text.slice(0, 40))}.`,
  );
}
