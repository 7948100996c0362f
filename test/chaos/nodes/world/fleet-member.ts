import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { endWithUs } from '../../../support/leash.js';
import type { ClientGate } from './client-gate.js';

export interface FleetMemberOptions {
  /** Its name in the links of the world. */
  readonly id: string;
  /** Its only way to NATS. */
  readonly gate: ClientGate;
  readonly scopes: readonly string[];
  /** Number of its first consumer, and how many it has. */
  readonly first: number;
  readonly count: number;
  readonly cacheDir: string;
  /** Where it writes down what its consumers apply; it goes on there when it is started again. */
  readonly file: string;
}

const PROCESS = fileURLToPath(new URL('./fleet-process.mjs', import.meta.url));
const OPENED_WITHIN_MS = 120_000;

/** One process of consumers, to be harmed; its last-known-good files outlive it. */
export class FleetMember {
  #child: ChildProcess | null = null;
  #read = 0;

  constructor(private readonly options: FleetMemberOptions) {}

  get id(): string {
    return this.options.id;
  }

  get file(): string {
    return this.options.file;
  }

  /** Whether this consumer is one of its own. */
  has(consumer: string): boolean {
    const { first, count } = this.options;
    const number = Number(consumer.split('-').at(-1));
    return number >= first && number < first + count;
  }

  /** It ended by itself: nobody killed it. */
  get isDead(): boolean {
    const child = this.#child;
    return child !== null && (child.exitCode !== null || child.signalCode !== null);
  }

  /** Resolves when every consumer of it runs something; rejects when it ends before. */
  async start(): Promise<void> {
    const { gate, scopes, first, count, cacheDir, file } = this.options;
    const servers = `nats://127.0.0.1:${gate.port}`;
    const wish = { servers, scopes, first, count, cacheDir, file };
    // Not with the conditions under which this process finds sources: consumers are from the build.
    const child = fork(PROCESS, [JSON.stringify(wish)], { detached: true, execArgv: [] });
    this.#child = child;
    if (child.pid !== undefined) endWithUs(child.pid);
    const signal = AbortSignal.timeout(OPENED_WITHIN_MS);
    const ended = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`a process of consumers ended with ${code}`);
    });
    await Promise.race([once(child, 'message', { signal }), ended]);
  }

  /** Ends it at once and returns when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    await end(child, 'SIGKILL');
  }

  /** Holds it still. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    this.resume();
    await end(this.#child, 'SIGTERM');
    await this.options.gate.close();
  }

  /** The lines that it has written since this was asked last. */
  async newLines(): Promise<readonly string[]> {
    const { lines, read } = await readLines(this.file, this.#read);
    this.#read = read;
    return lines;
  }
}

async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

/** The whole lines of a file from a position on, and where they end. */
async function readLines(path: string, from: number): Promise<{ lines: string[]; read: number }> {
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(size - from);
    await file.read(buffer, 0, buffer.length, from);
    const end = buffer.lastIndexOf('\n') + 1;
    const lines = buffer.toString('utf8', 0, end).split('\n').filter(Boolean);
    return { lines, read: from + end };
  } finally {
    await file.close();
  }
}
