import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ConnectOptions } from '@pawl/sdk';
import { eventually } from './eventually.js';
import { endWithUs } from './leash.js';
import { CONSUMER, REPOSITORY } from './stack-paths.js';

export interface ConsumerOptions extends ConnectOptions {
  readonly address: string;
  /** Documents with this key are rejected by `validate`. */
  readonly refuseKey?: string;
  /** It does not survive documents with this key: it exits with code 1 once it runs one. */
  readonly exitKey?: string;
  /** Nothing in it listens to SIGTERM. */
  readonly hasNoHandler?: boolean;
  /** On documents with this key `validate` blocks the process for so long, milliseconds. */
  readonly blockKey?: string;
  readonly blockMs?: number;
}

/** What a consumer process printed: what happened, in order. */
export interface ConsumerEvent {
  readonly event: 'opened' | 'applied' | 'absent' | 'rejected' | 'error';
  readonly version?: number;
  readonly document?: Readonly<Record<string, unknown>>;
  readonly lowered?: boolean;
  readonly reason?: string;
  readonly code?: string;
  readonly message?: string;
}

export interface ConsumerProcess {
  readonly pid: number;
  readonly events: readonly ConsumerEvent[];
  /** Waits for an event; what it printed otherwise is in the failure. */
  saw(wanted: (event: ConsumerEvent) => boolean, timeoutMs?: number): Promise<ConsumerEvent>;
  /** SIGSTOP: it hears nothing and says nothing. */
  pause(): void;
  resume(): void;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, on which it closes in order; answers its exit code, null when the signal ended it. */
  close(): Promise<number | null>;
  /** Answers its exit code once it ended by itself. */
  ended(): Promise<number | null>;
}

/** Starts a consumer from the SDK's build in a process of its own. */
export function spawnConsumer(options: ConsumerOptions): ConsumerProcess {
  const child = spawn(process.execPath, [CONSUMER, JSON.stringify(options)], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error('the consumer could not be started');
  endWithUs(pid);
  const events: ConsumerEvent[] = [];
  let complaints = '';
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => events.push(JSON.parse(line) as ConsumerEvent));
  child.stderr.on('data', (chunk: Buffer) => void (complaints += chunk.toString()));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const signal = (name: NodeJS.Signals): void => {
    if (child.exitCode === null && child.signalCode === null) process.kill(pid, name);
  };
  const end = async (name: NodeJS.Signals): Promise<number | null> => {
    signal('SIGCONT');
    signal(name);
    return (await exited)[0];
  };
  return {
    pid,
    events,
    saw: (wanted, timeoutMs) =>
      eventually(() => {
        const found = events.find(wanted);
        if (found !== undefined) return found;
        throw new Error(`not seen; the consumer said ${JSON.stringify(events)} ${complaints}`);
      }, timeoutMs),
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    kill: async () => void (await end('SIGKILL')),
    close: () => end('SIGTERM'),
    ended: async () => (await exited)[0],
  };
}
