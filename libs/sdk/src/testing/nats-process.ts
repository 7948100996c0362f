import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin'];
const START_MS = 15_000;

/** A nats-server process of a test: one port and one store, which outlive restarts. */
export class NatsProcess {
  readonly port: number;
  readonly #store: string;
  #child: ChildProcess | null = null;

  private constructor(port: number, store: string) {
    this.port = port;
    this.#store = store;
  }

  static async create(): Promise<NatsProcess> {
    return new NatsProcess(await pickPort(), await mkdtemp(join(tmpdir(), 'pawl-sdk-nats-')));
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Resolves once connections are taken. */
  async start(): Promise<void> {
    const place = ['-a', '127.0.0.1', '-p', String(this.port), '-sd', this.#store];
    const child = spawn(findServer(), ['-js', ...place], { stdio: 'ignore' });
    this.#child = child;
    const deadline = performance.now() + START_MS;
    while (!(await accepts(this.port))) {
      if (child.exitCode !== null || performance.now() > deadline) {
        throw new Error(`nats-server did not start on port ${this.port}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name);
  }

  /** kill -9, also while it is stopped; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#store, { recursive: true, force: true });
  }
}

/** `PAWL_NATS_SERVER` names the binary; else it is looked for on PATH and in system folders. */
function findServer(): string {
  const named = process.env['PAWL_NATS_SERVER'];
  if (named) return named;
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  const path = folders.map((folder) => join(folder, 'nats-server')).find(existsSync);
  if (path === undefined)
    throw new Error('nats-server is not on PATH; name it in PAWL_NATS_SERVER');
  return path;
}

/** A free port below those that the system hands to outgoing connections. */
async function pickPort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 10_000);
    const server = createServer();
    const free = new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!(await free)) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const outcome = new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  const accepted = await outcome;
  socket.destroy();
  return accepted;
}
