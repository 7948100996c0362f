import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../infra/dev/lib/ports.mjs';
import { CLI } from '../../infra/dev/lib/repository.mjs';
import { startService, type Service } from '../../infra/dev/lib/service.mjs';
import { endWithUs } from './leash.js';

const HOST = '127.0.0.1';
const LISTENS_WITHIN_MS = 30_000;
const STOP_GRACE_MS = 20_000;

/** What `endpoints.json` of a member says. */
interface MemberEndpoints {
  readonly peer: string;
  readonly etcd: string;
  readonly health: string;
  readonly processes: { readonly quorum: number };
}

/** A `pawl quorum` process of the last build, on ports and a data folder of its own. */
export class QuorumProcess {
  #service: Service | undefined;
  #endpoints: MemberEndpoints | undefined;

  private constructor(
    readonly name: string,
    /** `host:port`. */
    readonly peerAddress: string,
    readonly dataFolder: string,
    /** Of every start. */
    readonly args: readonly string[],
  ) {}

  /** Nothing runs yet. */
  static async prepare(
    name: string,
    folder: string,
    args: readonly string[] = [],
  ): Promise<QuorumProcess> {
    const peerAddress = `${HOST}:${await freePort()}`;
    return new QuorumProcess(name, peerAddress, join(folder, name), args);
  }

  /** Starts it and waits until it listens, which is before it has a leader. */
  async start(args: readonly string[] = []): Promise<void> {
    await mkdir(this.dataFolder, { recursive: true });
    this.#endpoints = undefined;
    const port = this.peerAddress.split(':')[1] ?? '';
    this.#service = await startService({
      name: this.name,
      title: `pawl quorum (${this.name})`,
      command: process.execPath,
      args: [
        ...[CLI, 'quorum', '--node-id', this.name, '--data-dir', this.dataFolder],
        ...['--peer-port', port, '--etcd-port', '0', '--http-port', '0'],
        ...this.args,
        ...args,
      ],
      env: cleanEnvironment(),
      logFile: join(this.dataFolder, '..', `${this.name}.log`),
      stopPlan: [{ signal: 'SIGTERM', graceMs: STOP_GRACE_MS }],
      ready: async ({ pid }) => {
        const endpoints = await readEndpoints(this.dataFolder);
        if (endpoints?.processes.quorum !== pid) return false;
        this.#endpoints = endpoints;
        return true;
      },
      readyDeadlineMs: LISTENS_WITHIN_MS,
      onSpawn: ({ pid }) => endWithUs(pid),
    });
  }

  /** `host:port` of its coordination API. */
  get endpoint(): string {
    return this.#listening.etcd.replace(/^https?:\/\//, '');
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** Status code and reason of `/health`. */
  async health(): Promise<{ readonly status: number; readonly reason: string }> {
    const answer = await fetch(`${this.#listening.health}/health`);
    const { reason } = (await answer.json()) as { readonly reason: string };
    return { status: answer.status, reason };
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.#listening.health}/metrics`)).text();
  }

  /** Ends it in order; answers its exit code. */
  async stop(): Promise<number | null> {
    await this.#service?.stop();
    return (await this.#running.exited).code;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#service?.stop({ force: true });
  }

  /** What it printed since it was started last. */
  log(): string {
    return this.#running.tail();
  }

  /** Its exit code, once it has ended by itself. */
  async exited(): Promise<number | null> {
    return (await this.#running.exited).code;
  }

  get #running(): Service {
    if (this.#service === undefined) throw new Error(`${this.name} was never started`);
    return this.#service;
  }

  get #listening(): MemberEndpoints {
    if (this.#endpoints === undefined) throw new Error(`${this.name} does not listen`);
    return this.#endpoints;
  }
}

/** Settings of the user's own Pawl stay out. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PAWL_'));
  return Object.fromEntries(kept);
}

async function readEndpoints(folder: string): Promise<MemberEndpoints | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, 'endpoints.json'), 'utf8')) as MemberEndpoints;
  } catch {
    return undefined;
  }
}
