import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/usr/bin'];
/** Below the range from which the system takes ports for outgoing connections. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;
const START_DEADLINE_MS = 15_000;

/** A real nats-server on a port and in a folder of its own; both stay over restarts. */
export class NatsTestServer {
  #process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly flags: readonly string[],
  ) {}

  /** Made, not started. `flags` replace the one that turns JetStream on. */
  static async create(flags: readonly string[] = ['-js']): Promise<NatsTestServer> {
    const folder = await mkdtemp(join(tmpdir(), 'pawl-nats-'));
    return new NatsTestServer(await freePort(), folder, flags);
  }

  static async started(flags?: readonly string[]): Promise<NatsTestServer> {
    const server = await NatsTestServer.create(flags);
    await server.start();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Resolves once the server greets. */
  async start(): Promise<void> {
    const address = ['-a', '127.0.0.1', '-p', String(this.port)];
    const args = [...this.flags, ...address, '-sd', this.folder];
    const child = spawn(serverBinary(), args, { stdio: 'ignore' });
    this.#process = child;
    const killAtExit = (): void => void child.kill('SIGKILL');
    process.once('exit', killAtExit);
    child.once('exit', () => process.off('exit', killAtExit));
    const endMs = performance.now() + START_DEADLINE_MS;
    while (!(await greets(this.port))) {
      if (child.exitCode !== null || performance.now() > endMs) {
        throw new Error(`nats-server did not start on port ${this.port}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** SIGSTOP (Linux); resolves once every thread stands still. `kill` still works then. */
  async freeze(): Promise<void> {
    const pid = this.#process?.pid;
    this.#process?.kill('SIGSTOP');
    while (!(await standsStill(`/proc/${pid}/task`))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** kill -9; resolves once the process is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** Deletes all that the server stored; for while it is down. */
  async wipe(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async dispose(): Promise<void> {
    await this.kill();
    await this.wipe();
  }
}

async function standsStill(tasks: string): Promise<boolean> {
  for (const task of await readdir(tasks)) {
    const status = await readFile(join(tasks, task, 'status'), 'utf8');
    if (!/^State:\s+T/m.test(status)) return false;
  }
  return true;
}

/** `PAWL_NATS_SERVER` names the binary; otherwise PATH and the usual system folders are searched. */
function serverBinary(): string {
  const named = process.env['PAWL_NATS_SERVER'];
  if (named !== undefined && named !== '') return named;
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...FOLDERS];
  const found = folders
    .map((folder) => join(folder, 'nats-server'))
    .find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error('no nats-server: put it on PATH or name it in PAWL_NATS_SERVER');
  }
  return found;
}

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    const answer = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once('data', () => answer(true));
    socket.once('error', () => answer(false));
  });
}
