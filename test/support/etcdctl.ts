import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { inject } from 'vitest';
import { etcdEnvironment } from '../../infra/dev/lib/etcd-binaries.mjs';
import { endWithUs } from './leash.js';

export interface EtcdctlResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** An etcdctl that goes on running: watch, lock, elect, lease keep-alive. */
export interface RunningEtcdctl {
  readonly pid: number;
  /** The next line of its standard output; rejects when it ended, or after the deadline. */
  line(deadlineMs?: number): Promise<string>;
  /** Writes to its standard input. */
  write(text: string): void;
  /** Lets it end by itself (SIGINT: it gives locks back), or at once with SIGKILL. */
  stop(signal?: 'SIGINT' | 'SIGKILL'): Promise<EtcdctlResult>;
}

export interface Etcdctl {
  /** Runs it to its end, within 30 s; answers whatever its exit code is. */
  run(args: readonly string[], options?: { readonly input?: string }): Promise<EtcdctlResult>;
  /** Starts it; whoever does stops it. */
  start(args: readonly string[]): RunningEtcdctl;
}

const RUN_DEADLINE_MS = 30_000;
const LINE_DEADLINE_MS = 20_000;
const STOP_GRACE_MS = 5_000;

/** The distribution's etcdctl, version 3 of the API, against `host:port` endpoints. */
export function etcdctlFor(endpoints: readonly string[]): Etcdctl {
  const open = (args: readonly string[]) => new Process(endpoints, args);
  return {
    run: async (args, { input = '' } = {}) => {
      const process_ = open(args);
      process_.child.stdin.end(input);
      return process_.end(RUN_DEADLINE_MS);
    },
    start: open,
  };
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

class Process implements RunningEtcdctl {
  readonly child: Child;
  readonly #exited: Promise<unknown>;
  readonly #lines: AsyncIterator<string>;
  #stdout = '';
  #stderr = '';

  constructor(endpoints: readonly string[], args: readonly string[]) {
    this.child = spawn(inject('etcd').etcdctl, [`--endpoints=${endpoints.join(',')}`, ...args], {
      env: etcdEnvironment(),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    if (this.child.pid !== undefined) endWithUs(this.child.pid);
    this.#exited = once(this.child, 'close');
    this.#exited.catch(() => undefined);
    this.child.stdin.on('error', () => undefined);
    this.child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString('utf8');
    });
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.#stdout += chunk.toString('utf8');
    });
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  async line(deadlineMs = LINE_DEADLINE_MS): Promise<string> {
    const late = new AbortController();
    try {
      const next = await Promise.race([
        this.#lines.next(),
        delay(deadlineMs, undefined, { signal: late.signal }),
      ]);
      if (next === undefined) throw new Error(`etcdctl printed nothing: ${this.#stderr}`);
      if (next.done === true) throw new Error(`etcdctl ended: ${this.#stderr}`);
      return next.value;
    } finally {
      late.abort();
    }
  }

  write(text: string): void {
    this.child.stdin.write(text);
  }

  async stop(signal: 'SIGINT' | 'SIGKILL' = 'SIGINT'): Promise<EtcdctlResult> {
    this.child.kill(signal);
    return this.end(STOP_GRACE_MS);
  }

  /** Waits for its end; one that is late is killed. */
  async end(graceMs: number): Promise<EtcdctlResult> {
    const late = setTimeout(() => this.child.kill('SIGKILL'), graceMs);
    try {
      await this.#exited;
    } finally {
      clearTimeout(late);
    }
    return { code: this.child.exitCode, stdout: this.#stdout, stderr: this.#stderr };
  }
}
