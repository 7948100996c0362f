import { join } from 'node:path';
import { inject } from 'vitest';
import { freePort } from '../../infra/dev/lib/ports.mjs';
import { startNats as start } from '../../infra/dev/lib/nats.mjs';
import { endWithUs } from './leash.js';
import { makeTemporaryFolder } from './temporary-folder.js';

export interface TestNats {
  /** The same across restarts. */
  readonly url: string;
  readonly port: number;
  /** Ends it at once, as kill -9 does, and returns when it is gone. */
  kill(): Promise<void>;
  /** Ends it in order; its streams stay. */
  shutDown(): Promise<void>;
  /** Starts it again on the same port, with its streams. */
  start(): Promise<void>;
  /** Holds it still (SIGSTOP): connections stay, nobody answers. */
  pause(): void;
  resume(): void;
  /** Ends it and removes its streams. */
  stop(): Promise<void>;
}

/** A nats-server with JetStream on a free port, with streams of its own: one per test file. */
export async function startNats(): Promise<TestNats> {
  const folder = await makeTemporaryFolder('nats');
  const port = await freePort();
  const run = async () => {
    const { service } = await start({
      program: inject('natsServer'),
      folder: join(folder.path, 'nats'),
      logFile: join(folder.path, 'nats.log'),
      port,
      onSpawn: ({ pid }) => endWithUs(pid),
    });
    return service;
  };
  let service = await run();
  const signal = (name: NodeJS.Signals) => {
    if (service.isRunning()) process.kill(service.pid, name);
  };
  const end = (options?: { force: boolean }) => {
    signal('SIGCONT');
    return service.stop(options);
  };
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    kill: () => end({ force: true }),
    shutDown: () => end(),
    start: async () => {
      service = await run();
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    stop: async () => {
      await end();
      await folder.remove();
    },
  };
}
