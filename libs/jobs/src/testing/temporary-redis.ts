import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from './free-port.js';

export interface TemporaryRedis {
  /** The same across restarts. */
  readonly url: string;
  /** Ends it at once; it keeps nothing. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Holds it still (SIGSTOP): connections stay, it does not answer. */
  pause(): void;
  resume(): void;
  remove(): Promise<void>;
}

/** A redis-server on a free port that keeps nothing on disk. */
export async function temporaryRedis(): Promise<TemporaryRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'pawl-redis-'));
  const port = await freePort();
  const program = findServer();
  const libraries = process.env['PAWL_REDIS_LIBRARIES'];
  const env = { ...process.env, ...(libraries ? { LD_LIBRARY_PATH: libraries } : {}) };
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder];
  let running: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    running = spawn(program, [...args, '--requirepass', 'hunter2'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await said(running, 'Ready to accept connections');
  };
  const crash = async (): Promise<void> => {
    const stopping = running;
    running = undefined;
    if (stopping === undefined) return;
    const gone = new Promise((resolve) => stopping.once('exit', resolve));
    stopping.kill('SIGKILL');
    await gone;
  };
  await start();
  return {
    url: `redis://:hunter2@127.0.0.1:${port}`,
    crash,
    start,
    pause: () => void running?.kill('SIGSTOP'),
    resume: () => void running?.kill('SIGCONT'),
    remove: async () => {
      await crash();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** `PAWL_REDIS_SERVER` names the binary; else it is looked for on PATH. */
function findServer(): string {
  const named = process.env['PAWL_REDIS_SERVER'];
  if (named) return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const path = folders.map((folder) => join(folder, 'redis-server')).find(existsSync);
  if (path === undefined) {
    throw new Error('redis-server is not on PATH; name it in PAWL_REDIS_SERVER');
  }
  return path;
}

function said(child: ChildProcess, words: string): Promise<void> {
  let output = '';
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(output)));
    child.stdout?.on('data', (chunk: Buffer) => {
      output = `${output}${chunk.toString()}`.slice(-10_000);
      if (output.includes(words)) resolve();
    });
  });
}
