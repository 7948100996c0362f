import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { endWithUs } from '../../support/leash.js';

const run = promisify(execFile);

/** Of a small file system. */
const SIZE = '32m';
const BALLAST = 'ballast';
/** What a file may grow to: more than a log of messages, less than the log of a quorum soon is. */
const FILE_BYTES = 256 * 1024;

/** A disk of a member that can be full. */
export interface TightDisk {
  /** Runs a program that has the disk. */
  readonly within: readonly string[];
  /** From now on there is no room, for the member that runs as this process. */
  fill(pid: number): Promise<void>;
  /** There is room again for a member that is started. */
  free(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * A small file system at the place of a folder. It is seen by those only that run within it, and
 * goes when they and the disk are gone.
 */
export class SmallDisk implements TightDisk {
  readonly within: readonly string[];

  private constructor(
    private readonly holder: ChildProcess,
    private readonly folder: string,
  ) {
    const into = ['--target', `${holder.pid}`, '--user', '--mount', '--preserve-credentials'];
    this.within = ['nsenter', ...into];
  }

  /** Throws where the machine does not allow it. */
  static async make(folder: string): Promise<SmallDisk> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const script = `mount -t tmpfs -o size=${SIZE},mode=0700 small "$1" && echo there && exec cat`;
    const holder = spawn(
      'unshare',
      ['--map-root-user', '--mount', 'sh', '-c', script, 'sh', folder],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    if (holder.pid !== undefined) endWithUs(holder.pid);
    const problem = await Promise.race([
      once(holder.stdout, 'data').then(() => null),
      once(holder.stderr, 'data').then(([text]) => String(text)),
      once(holder, 'error').then(([error]) => String(error)),
    ]);
    if (problem !== null) throw new Error(`no file system could be mounted: ${problem}`);
    return new SmallDisk(holder, folder);
  }

  async fill(): Promise<void> {
    // Fails when there is no room, as it is meant to.
    await this.shell(`cat /dev/zero > "$1/${BALLAST}" 2>/dev/null || test -s "$1/${BALLAST}"`);
  }

  async free(): Promise<void> {
    await this.shell(`rm -f "$1/${BALLAST}"`);
  }

  async remove(): Promise<void> {
    const gone = once(this.holder, 'exit');
    this.holder.kill('SIGKILL');
    await gone;
  }

  private async shell(script: string): Promise<void> {
    const [command = '', ...args] = this.within;
    await run(command, [...args, 'sh', '-c', script, 'sh', this.folder]);
  }
}

/** Files of a process must not grow beyond that (RLIMIT_FSIZE), for which nobody needs any right. */
export async function limitFiles(pid: number, bytes: number): Promise<void> {
  await run('prlimit', ['--pid', `${pid}`, `--fsize=${bytes}`]);
}

export const LIMITED_FILES: TightDisk = {
  within: [],
  fill: (pid) => limitFiles(pid, FILE_BYTES),
  free: async () => undefined,
  remove: async () => undefined,
};
