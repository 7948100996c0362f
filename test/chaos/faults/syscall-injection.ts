import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { eventually } from '../../support/eventually.js';
import { endWithUs } from '../../support/leash.js';

export type Syscalls = 'sync' | 'write';

const CALLS = {
  sync: 'fsync,fdatasync',
  write: 'pwrite64,pwritev,pwritev2,write,writev,ftruncate,fallocate',
} as const;

export type Injection =
  /** Each call begins so much later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The first call, or every one, fails. */
  | {
      readonly kind: 'error';
      readonly error: 'EIO' | 'ENOSPC' | 'EROFS' | 'EFBIG';
      readonly once: boolean;
    };

interface InjectionWish {
  readonly pid: number;
  readonly calls: Syscalls;
  readonly injection: Injection;
  /**
   * Only calls on the files below this folder that are open then; it waits for one, as the process
   * may have just begun. Left out: on all.
   */
  readonly below?: string;
}

const OPEN_DEADLINE_MS = 20_000;
const ATTACH_DEADLINE_MS = 10_000;
const DETACH_DEADLINE_MS = 5_000;

/** Changes what a running process's system calls do (strace), until it is lifted. */
export class SyscallInjection {
  private constructor(private readonly child: ChildProcessByStdio<null, null, Readable>) {}

  /** In force once it resolves; throws when the process cannot be traced. */
  static async into({ pid, calls, injection, below }: InjectionWish): Promise<SyscallInjection> {
    const names = CALLS[calls];
    const files = below === undefined ? [] : await openFiles(pid, below);
    const args = [
      ...['-f', '-p', `${pid}`, '-o', '/dev/null', '-e', `trace=${names}`],
      ...['-e', `inject=${names}:${describe(injection)}`],
      ...files.flatMap((file) => ['-P', file]),
    ];
    const child = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    if (child.pid !== undefined) endWithUs(child.pid);
    await attached(child);
    child.stderr.resume();
    return new SyscallInjection(child);
  }

  /** Calls do again what they do; what was held back goes on. */
  async lift(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGINT');
    const late = setTimeout(() => this.child.kill('SIGKILL'), DETACH_DEADLINE_MS);
    await gone;
    clearTimeout(late);
  }
}

async function openFiles(pid: number, folder: string): Promise<string[]> {
  return eventually(async () => {
    const links = await readdir(`/proc/${pid}/fd`);
    const files = await Promise.all(
      links.map((link) => readlink(`/proc/${pid}/fd/${link}`).catch(() => '')),
    );
    const found = [...new Set(files.filter((file) => file.startsWith(`${folder}/`)))];
    if (found.length === 0) throw new Error(`process ${pid} has no file open below ${folder}`);
    return found;
  }, OPEN_DEADLINE_MS);
}

function describe(injection: Injection): string {
  if (injection.kind === 'delay') return `delay_enter=${injection.ms * 1000}`;
  return `error=${injection.error}${injection.once ? ':when=1' : ''}`;
}

function attached(child: ChildProcessByStdio<null, null, Readable>): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (why: string) => {
      child.kill('SIGKILL');
      reject(new Error(`strace ${why}: ${text}`));
    };
    const late = setTimeout(() => fail('did not attach'), ATTACH_DEADLINE_MS);
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (!/attached/.test(text)) return;
      clearTimeout(late);
      resolve();
    });
    child.once('error', (error) => fail(error.message));
    child.once('exit', () => fail('ended'));
  });
}
