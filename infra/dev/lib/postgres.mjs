import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync } from 'node:fs';
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findWayToRun, unprivilegedAccount } from './account.mjs';
import { Failure, onFiles } from './failure.mjs';
import { readTextSync } from './files.mjs';
import { freePort, portInUse } from './ports.mjs';
import { findPostgres } from './postgres-binaries.mjs';
import { runnablePostgres } from './postgres-copy.mjs';
import { identify } from './process-identity.mjs';
import { run } from './run.mjs';
import { startService } from './service.mjs';

/**
 * @typedef {import('./account.mjs').Wrap} Wrap
 * @typedef {import('./account.mjs').Account} Account
 * @typedef {import('./service.mjs').Service} Service
 *
 * @typedef {object} PostgresOptions
 * @property {string} folder of the cluster; its parent folder exists
 * @property {string} logFile
 * @property {number} port 0: a free one
 * @property {AbortSignal} [signal]
 * @property {() => void} [onInit] a new cluster is about to be made
 * @property {() => void} [onCopy] its programs are about to be copied, see postgres-copy.mjs
 * @property {(service: Service) => void} [onSpawn]
 *
 * @typedef {object} RunningPostgres
 * @property {Service} service
 * @property {string} url of the database `pawl`, with its password: a secret
 * @property {number} port
 * @property {() => Promise<void>} crash ends every process of the server at once, as kill -9 does
 */

const HOST = '127.0.0.1';
const USER = 'pawl';
const DATABASE = 'pawl';
const MAJOR = '18';
/** Inside the cluster's folder, which only its owner may enter, so that both are made in one step. */
const PASSWORD_FILE = 'pawl-password';
const MAX_CONNECTIONS = 200;
const INIT_DEADLINE_MS = 120_000;
/** Recovery after a crash replays the log: on a slow disk that takes its time. */
const READY_DEADLINE_MS = 120_000;
const FREE_PORT_TRIES = 3;

/**
 * Starts PostgreSQL on a cluster that is made when there is none, on loopback only and with a
 * password of its own.
 *
 * @param {PostgresOptions} options
 * @returns {Promise<RunningPostgres>} rejects with `Failure` or `Stopped`
 */
export async function startPostgres(options) {
  const { folder, signal, onInit, onCopy } = options;
  const account = unprivilegedAccount(folder);
  const binaries = await runnablePostgres(await findPostgres(), {
    account,
    dataFolder: dirname(folder),
    ...(signal && { signal }),
    ...(onCopy && { onCopy }),
  });
  const reach = { program: binaries.postgres, folder: dirname(folder), ...(signal && { signal }) };
  const wrap = await findWayToRun(account, reach);
  await onFiles(folder, async () => {
    await removeUnfinished(folder);
    if (await isMissing(folder)) {
      onInit?.();
      await makeCluster(binaries, { folder, account, wrap, ...(signal && { signal }) });
    }
    assertUsable(folder, account);
    await removeStalePidFile(folder);
  });
  const password = await onFiles(join(folder, PASSWORD_FILE), () =>
    readFile(join(folder, PASSWORD_FILE), 'utf8'),
  );
  const { service, port } = await startServer(binaries.postgres, { ...options, wrap });
  return {
    service,
    url: `postgresql://${USER}:${password.trim()}@${HOST}:${port}/${DATABASE}`,
    port,
    crash: () => service.stop({ force: true }),
  };
}

/** Clusters whose making was cut off, by kill -9 say. */
async function removeUnfinished(/** @type {string} */ folder) {
  const names = await readdir(dirname(folder));
  const prefix = unfinishedPrefix(folder);
  const unfinished = names.filter((name) => name.startsWith(prefix));
  await Promise.all(
    unfinished.map((name) => rm(join(dirname(folder), name), { recursive: true, force: true })),
  );
}

/** @param {string} folder */
function unfinishedPrefix(folder) {
  return `${basename(folder)}.unfinished-`;
}

/** Nothing there, or an empty folder that somebody made for us, which is removed. */
async function isMissing(/** @type {string} */ folder) {
  if (!existsSync(folder)) return true;
  if (!lstatSync(folder).isDirectory()) {
    throw new Failure(
      `${folder} should be a folder but is not one: move it away, ` +
        'or choose another data folder with PAWL_DATA_DIR.',
    );
  }
  if ((await readdir(folder)).length > 0) return false;
  await rm(folder, { recursive: true });
  return true;
}

/**
 * Makes the cluster beside its place and moves it there when it is whole.
 *
 * @param {import('./postgres-binaries.mjs').PostgresBinaries} binaries
 * @param {{ folder: string, account: Account | undefined, wrap: Wrap, signal?: AbortSignal }} how
 */
async function makeCluster({ initdb, postgres }, { folder, account, wrap, signal }) {
  const suffix = randomBytes(4).toString('hex');
  const unfinished = join(dirname(folder), `${unfinishedPrefix(folder)}${suffix}`);
  const passwordFile = `${unfinished}.password`;
  const password = randomBytes(24).toString('base64url');
  const own = async (/** @type {string} */ path) => {
    if (account !== undefined) await chown(path, account.uid, account.gid);
  };
  const execute = (/** @type {string} */ program, /** @type {string[]} */ args, input = '') => {
    const { command, args: wrapped, uid, gid } = wrap(program, args);
    const deadlineMs = INIT_DEADLINE_MS;
    return run(command, wrapped, {
      cwd: '/',
      env: cleanEnvironment(),
      deadlineMs,
      input,
      ...(uid !== undefined && gid !== undefined && { uid, gid }),
      ...(signal && { signal }),
    });
  };
  try {
    await mkdir(unfinished, { mode: 0o700 });
    await own(unfinished);
    await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' });
    await own(passwordFile);
    const auth = ['--username', USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
    const options = ['--encoding=UTF8', '--locale=C', '--pgdata', unfinished];
    assertDone(await execute(initdb, [...auth, ...options]));
    const single = ['--single', '-D', unfinished, 'postgres'];
    assertDone(await execute(postgres, single, `CREATE DATABASE ${DATABASE}\n`));
    await rename(passwordFile, join(unfinished, PASSWORD_FILE));
    await rename(unfinished, folder);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** PG* variables of the user's shell would redirect the programs. */
function cleanEnvironment() {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|PAWL_|LC_|LANG)/.test(name));
  return Object.fromEntries([...kept, ['LC_ALL', 'C']]);
}

/** @param {{ code: number | null, output: string }} result */
function assertDone({ code, output }) {
  if (code === 0 && !/^(FATAL|PANIC|.*\bERROR):/m.test(output)) return;
  const complaint = output
    .split('\n')
    .map((line) => line.trim())
    .find((line) => /(error|FATAL|PANIC|ERROR):/.test(line));
  if (FULL_DISK.test(output)) throw diskFull();
  throw new Failure(`PostgreSQL could not make its data folder: ${complaint ?? output.trim()}.`);
}

const FULL_DISK = /No space left on device|wrote only \d+ of \d+ bytes/;

function diskFull() {
  return new Failure('The disk is full: PostgreSQL needs about 50 MB in the data folder.');
}

/** @param {string} folder @param {Account | undefined} account */
function assertUsable(folder, account) {
  const elsewhere = 'move it away, or choose another data folder with PAWL_DATA_DIR';
  const version = readTextSync(join(folder, 'PG_VERSION'))?.trim();
  if (version === undefined) {
    throw new Failure(`${folder} is not a database folder (no PG_VERSION): ${elsewhere}.`);
  }
  if (version !== MAJOR) {
    throw new Failure(
      `The database folder ${folder} is of PostgreSQL ${version.slice(0, 10)}, ours is ${MAJOR}: ${elsewhere}.`,
    );
  }
  const { uid } = lstatSync(folder);
  const self = account?.uid ?? process.getuid?.() ?? uid;
  if (uid !== self) {
    throw new Failure(
      `The database folder ${folder} belongs to user ${uid}: start as that user (or as root), ` +
        'or choose another data folder with PAWL_DATA_DIR.',
    );
  }
  if (!existsSync(join(folder, PASSWORD_FILE))) {
    throw new Failure(`The database folder ${folder} was not made by Pawl: ${elsewhere}.`);
  }
}

/**
 * PostgreSQL refuses to start while the pid in its postmaster.pid is of any live process of the same
 * user, as after a restart of a container, where pids are given out again. The file is removed only
 * when that process is provably no PostgreSQL; whether another runs here, the caller has asked before.
 *
 * @param {string} folder
 */
async function removeStalePidFile(folder) {
  const file = join(folder, 'postmaster.pid');
  const pid = Number(readTextSync(file)?.split('\n')[0]);
  if (process.platform !== 'linux' || identify(pid) === undefined) return;
  const command = readTextSync(`/proc/${pid}/comm`)?.trim();
  if (command !== undefined && command !== 'postgres') await rm(file, { force: true });
}

/**
 * @param {string} program
 * @param {PostgresOptions & { wrap: Wrap }} options
 * @returns {Promise<{ service: Service, port: number }>}
 */
async function startServer(program, { folder, logFile, port: wanted, wrap, signal, onSpawn }) {
  for (let tries = 1; ; tries += 1) {
    const port = wanted === 0 ? await freePort() : wanted;
    try {
      const { command, args, uid, gid } = wrap(program, serverArguments(folder, port));
      const service = await startService({
        name: 'postgres',
        title: 'PostgreSQL',
        command,
        args,
        env: cleanEnvironment(),
        logFile,
        stopPlan: [
          { signal: 'SIGINT', graceMs: 10_000 },
          { signal: 'SIGQUIT', graceMs: 3_000 },
        ],
        forcePlan: [{ signal: 'SIGQUIT', graceMs: 1_000 }],
        ready: (running) => isReady(folder, running.pid),
        readyDeadlineMs: READY_DEADLINE_MS,
        explain: (complaint) => explain(complaint, { folder, port }),
        ...(uid !== undefined && gid !== undefined && { uid, gid }),
        ...(signal && { signal }),
        ...(onSpawn && { onSpawn }),
      });
      return { service, port };
    } catch (error) {
      const taken = error instanceof PortTaken;
      if (!taken || wanted !== 0 || tries === FREE_PORT_TRIES) throw error;
    }
  }
}

/** @param {string} folder @param {number} port */
function serverArguments(folder, port) {
  const settings = {
    listen_addresses: HOST,
    port,
    unix_socket_directories: '',
    max_connections: MAX_CONNECTIONS,
    log_line_prefix: '%m [%p] ',
    log_timezone: 'UTC',
    // A statement in an error may hold what it was given.
    log_parameter_max_length_on_error: 0,
    log_min_error_statement: 'panic',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', folder, ...options];
}

/** The eighth line of postmaster.pid is its status, the first its pid (miscadmin.h of PostgreSQL). */
function isReady(/** @type {string} */ folder, /** @type {number} */ pid) {
  const lines = readTextSync(join(folder, 'postmaster.pid'))?.split('\n') ?? [];
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

class PortTaken extends Failure {}

/** @param {string} complaint @param {{ folder: string, port: number }} about */
function explain(complaint, { folder, port }) {
  if (/could not create any TCP\/IP sockets|Address already in use/i.test(complaint)) {
    const wanted = { port, setting: 'PAWL_POSTGRES_PORT', what: 'PostgreSQL' };
    return new PortTaken(portInUse(wanted).message);
  }
  if (FULL_DISK.test(complaint)) return diskFull();
  if (/lock file "postmaster.pid" already exists/.test(complaint)) {
    return new Failure(`Another PostgreSQL already runs on ${folder}: stop it first.`);
  }
  return undefined;
}
