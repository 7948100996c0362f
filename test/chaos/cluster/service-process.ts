import { mkdir } from 'node:fs/promises';
import type { Service } from '../../../infra/dev/lib/service.mjs';
import { startService } from '../../../infra/dev/lib/service.mjs';
import { endWithUs } from '../../support/leash.js';
import type { QuorumPlan, QuorumProcess, StartOptions } from './quorum-process.js';

const HOST = '127.0.0.1';
const START_DEADLINE_MS = 20_000;
const STOP_GRACE_MS = 10_000;

interface Program {
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** A member that is run by the launcher's own way of running services. */
export class ServiceProcess implements QuorumProcess {
  readonly name: string;
  readonly endpoint: string;
  readonly dataFolder: string;
  #service: Service | undefined;

  constructor(
    private readonly plan: QuorumPlan,
    private readonly program: Program,
  ) {
    const { name, clientPort, dataFolder } = plan.member;
    this.name = name;
    this.endpoint = `${HOST}:${clientPort}`;
    this.dataFolder = dataFolder;
  }

  get pid(): number {
    return this.service.pid;
  }

  isRunning(): boolean {
    return this.#service?.isRunning() ?? false;
  }

  async start({ args = [] }: StartOptions = {}): Promise<void> {
    const { title, env, cwd } = this.program;
    const words = [...this.plan.within, this.program.command, ...this.program.args, ...args];
    const [command = '', ...rest] = words;
    await mkdir(this.dataFolder, { recursive: true, mode: 0o700 });
    this.#service = await startService({
      name: this.name,
      title: `${title} (${this.name})`,
      command,
      args: rest,
      env,
      ...(cwd !== undefined && { cwd }),
      logFile: this.plan.member.logFile,
      stopPlan: [{ signal: 'SIGTERM', graceMs: STOP_GRACE_MS }],
      ready: () => true,
      readyDeadlineMs: START_DEADLINE_MS,
      onSpawn: ({ pid }) => endWithUs(pid),
    });
  }

  async stop(): Promise<void> {
    if (!this.isRunning()) return;
    this.resume();
    await this.service.stop();
  }

  async kill9(): Promise<void> {
    if (this.isRunning()) await this.service.stop({ force: true });
  }

  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  async exited(): Promise<number | null> {
    return (await this.service.exited).code;
  }

  log(): string {
    return this.#service?.tail() ?? '';
  }

  private signal(name: NodeJS.Signals): void {
    if (this.isRunning()) process.kill(this.pid, name);
  }

  private get service(): Service {
    if (this.#service === undefined) throw new Error(`${this.name} was never started`);
    return this.#service;
  }
}
