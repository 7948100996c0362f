import { execFile } from 'node:child_process';
import { chown, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../../../../infra/dev/lib/ports.mjs';
import { startPostgres } from '../../../../infra/dev/lib/postgres.mjs';
import type { TestDatabase } from '../../../support/database.js';
import { eventually } from '../../../support/eventually.js';
import { endWithUs } from '../../../support/leash.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../support/temporary-folder.js';
import { withClient } from './audit.js';

type Running = Awaited<ReturnType<typeof startPostgres>>;

const PROMOTED_WITHIN_MS = 60_000;

/** The truth of one world: a PostgreSQL of its own, to be harmed. Its port stays the same. */
export class TruthServer implements TestDatabase {
  readonly name = 'pawl';
  #paused: readonly number[] = [];

  private constructor(
    private readonly folder: TemporaryFolder,
    private running: Running,
  ) {}

  static async start(): Promise<TruthServer> {
    const folder = await makeTemporaryFolder('chaos-truth');
    return new TruthServer(folder, await run(folder, await freePort()));
  }

  get url(): string {
    return this.running.url;
  }

  get port(): number {
    return this.running.port;
  }

  get logFile(): string {
    return this.running.service.logFile;
  }

  /** Ends every process of the server at once, as an immediate stop does. */
  async crash(): Promise<void> {
    this.resume();
    await this.running.crash();
  }

  /** Starts it again, with what it committed. */
  async start(): Promise<void> {
    this.running = await run(this.folder, this.port);
  }

  /** Holds the server and all its sessions still (SIGSTOP): connections stay, nobody answers. */
  async pause(): Promise<void> {
    const { pid } = this.running.service;
    process.kill(pid, 'SIGSTOP');
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    this.#paused = [...children.split(' ').filter(Boolean).map(Number), pid];
    for (const one of this.#paused) signal(one, 'SIGSTOP');
  }

  resume(): void {
    for (const one of this.#paused) signal(one, 'SIGCONT');
    this.#paused = [];
  }

  /** Ends it in order, keeps a copy of its data to go back to, and starts it again. */
  async keepCopy(): Promise<void> {
    await this.running.service.stop();
    await replaceFolder(this.#data, this.#copy);
    await this.start();
  }

  /** Ends it at once and starts it with the data of the copy. */
  async restoreCopy(): Promise<void> {
    await this.crash();
    await replaceFolder(this.#copy, this.#data);
    await this.start();
  }

  /**
   * Ends it at once, starts a standby with the data of the copy in its place, and promotes that after a
   * while, as a fail-over to a standby that lagged does: the server goes on on another timeline.
   */
  async failOver(promoteAfterMs: number): Promise<void> {
    await this.crash();
    await replaceFolder(this.#copy, this.#data);
    const signal = join(this.#data, 'standby.signal');
    const { uid, gid } = await stat(this.#data);
    await writeFile(signal, '');
    await chown(signal, uid, gid);
    // It is not said to have started before it takes writes.
    const [running] = await Promise.all([
      run(this.folder, this.port),
      promote(this.url, promoteAfterMs),
    ]);
    this.running = running;
  }

  async drop(): Promise<void> {
    this.resume();
    await this.running.service.stop();
    await this.folder.remove();
  }

  get #data(): string {
    return join(this.folder.path, 'cluster');
  }

  get #copy(): string {
    return join(this.folder.path, 'copy');
  }
}

function run(folder: TemporaryFolder, port: number): Promise<Running> {
  return startPostgres({
    folder: join(folder.path, 'cluster'),
    logFile: join(folder.path, 'postgres.log'),
    port,
    onSpawn: ({ pid }) => endWithUs(pid),
  });
}

/** Throws when the server is not a standby, or does not become a primary. */
async function promote(url: string, afterMs: number): Promise<void> {
  await delay(afterMs);
  await eventually(
    () =>
      withClient(url, async (client) => {
        const { rows } = await client.query<{ promoted: boolean }>(
          'SELECT pg_is_in_recovery() AND pg_promote() AS promoted',
        );
        if (rows[0]?.promoted !== true) throw new Error('the standby was not promoted');
      }),
    PROMOTED_WITHIN_MS,
  );
}

/** With owners and rights: PostgreSQL refuses a folder of somebody else. */
async function replaceFolder(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await promisify(execFile)('cp', ['-a', from, to]);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // The session ended in the meantime.
  }
}
