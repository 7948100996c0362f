import { readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { subjectsOf } from '@pawl/contracts';
import { startNats } from '../../../../infra/dev/lib/nats.mjs';
import { freePort } from '../../../../infra/dev/lib/ports.mjs';
import { endWithUs } from '../../../support/leash.js';
import type { TestNats } from '../../../support/nats.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../support/temporary-folder.js';

type Service = Awaited<ReturnType<typeof startNats>>['service'];

/** The distribution of one world: a nats-server of its own, to be harmed. Its port stays the same. */
export class Broker implements TestNats {
  private constructor(
    private readonly program: string,
    private readonly folder: TemporaryFolder,
    readonly port: number,
    private service: Service,
  ) {}

  /** @param program path of nats-server */
  static async start(program: string): Promise<Broker> {
    const folder = await makeTemporaryFolder('chaos-broker');
    const port = await freePort();
    return new Broker(program, folder, port, await run({ program, folder, port }));
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get logFile(): string {
    return this.service.logFile;
  }

  async kill(): Promise<void> {
    this.resume();
    await this.service.stop({ force: true });
  }

  async shutDown(): Promise<void> {
    this.resume();
    await this.service.stop();
  }

  async start(): Promise<void> {
    const { program, folder, port } = this;
    this.service = await run({ program, folder, port });
  }

  pause(): void {
    if (this.service.isRunning()) process.kill(this.service.pid, 'SIGSTOP');
  }

  resume(): void {
    if (this.service.isRunning()) process.kill(this.service.pid, 'SIGCONT');
  }

  /** Deletes the stream of snapshots, as an operator may. */
  async deleteSnapshots(): Promise<void> {
    const connection = await connect({ servers: this.url });
    try {
      const manager = await jetstreamManager(connection);
      await manager.streams.delete(subjectsOf('main').snapshotStream);
    } finally {
      await connection.close();
    }
  }

  /** While it is down: nothing of its streams is left. */
  async emptyStore(): Promise<void> {
    await rm(this.#store, { recursive: true, force: true });
  }

  /** While it is down: every file of messages loses its second half, as after a lost tail. */
  async truncateStore(): Promise<void> {
    const names = await readdir(this.#store, { recursive: true });
    const files = names.filter((name) => name.endsWith('.blk'));
    if (files.length === 0) throw new Error('JetStream has no messages to lose');
    for (const name of files) {
      const path = join(this.#store, name);
      await truncate(path, Math.floor((await stat(path)).size / 2));
    }
  }

  async stop(): Promise<void> {
    await this.shutDown();
    await this.folder.remove();
  }

  get #store(): string {
    return join(this.folder.path, 'nats', 'jetstream');
  }
}

interface Place {
  readonly program: string;
  readonly folder: TemporaryFolder;
  readonly port: number;
}

async function run({ program, folder, port }: Place): Promise<Service> {
  const { service } = await startNats({
    program,
    folder: join(folder.path, 'nats'),
    logFile: join(folder.path, 'nats.log'),
    port,
    onSpawn: ({ pid }) => endWithUs(pid),
  });
  return service;
}
