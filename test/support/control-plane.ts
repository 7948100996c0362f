import { join } from 'node:path';
import { startControlPlane } from '../../infra/dev/lib/control-plane.mjs';
import { layOut } from '../../infra/dev/lib/data-folder.mjs';
import { endWithUs } from './leash.js';
import { makeTemporaryFolder } from './temporary-folder.js';

export interface ControlPlaneOptions {
  readonly postgresUrl: string;
  readonly natsUrl: string;
  /** Further settings; the HTTP port is a free one. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface TestControlPlane {
  /** Base of REST, without a slash at the end; another after each start. */
  readonly url: string;
  readonly pid: number;
  /** The same across restarts. */
  readonly dataFolder: string;
  /** What it logged since it started, the last 16 KiB. */
  log(): string;
  /** Ends it at once (kill -9) and returns when it is gone. */
  kill(): Promise<void>;
  /** Ends it in order (SIGTERM); answers its exit code. */
  shutDown(): Promise<number | null>;
  /** Starts it again on the same data; ready when this resolves. */
  start(env?: Readonly<Record<string, string>>): Promise<void>;
  /** Holds it still (SIGSTOP). */
  pause(): void;
  resume(): void;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** A control plane from the build, in a process of its own, ready to take writes. */
export async function spawnControlPlane(options: ControlPlaneOptions): Promise<TestControlPlane> {
  const folder = await makeTemporaryFolder('node');
  const data = layOut(folder.path);
  const run = (env: Readonly<Record<string, string>> = {}) =>
    startControlPlane({
      data,
      env: {
        PAWL_HTTP_PORT: '0',
        PAWL_PEER_PORT: '0',
        PAWL_ETCD_PORT: '0',
        PAWL_LOG_LEVEL: 'warn',
        PAWL_POSTGRES_URL: options.postgresUrl,
        PAWL_NATS_URL: options.natsUrl,
        ...options.env,
        ...env,
      },
      logFile: join(data.logs, 'control-plane.log'),
      onSpawn: ({ pid }) => endWithUs(pid),
    });
  let running = await run();
  const signal = (name: NodeJS.Signals) => {
    const { service } = running;
    if (service.isRunning()) process.kill(service.pid, name);
  };
  const end = async (end_?: { force: boolean }) => {
    signal('SIGCONT');
    await running.service.stop(end_);
    return (await running.service.exited).code;
  };
  return {
    get url() {
      return running.url;
    },
    get pid() {
      return running.service.pid;
    },
    dataFolder: folder.path,
    log: () => running.service.tail(),
    kill: async () => void (await end({ force: true })),
    shutDown: () => end(),
    start: async (env) => {
      running = await run(env);
    },
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    stop: async () => {
      await end();
      await folder.remove();
    },
  };
}
