import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { identify } from '../../infra/dev/lib/process-identity.mjs';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';

let keeper: ChildProcessByStdio<Writable, null, null> | undefined;

/** Started with the first use; it ends, and cleans up, when this process does. */
function leash(): Writable {
  if (keeper === undefined) {
    const script = join(REPOSITORY, 'infra', 'dev', 'leash.mjs');
    keeper = spawn(process.execPath, [script], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    keeper.unref();
    // A socket's handle keeps the event loop alive unless told otherwise.
    (keeper.stdin as Writable & { unref?: () => void }).unref?.();
    keeper.stdin.on('error', () => undefined);
  }
  return keeper.stdin;
}

/** The process ends at the latest when this one does, also by kill -9. */
export function endWithUs(pid: number): void {
  const identity = identify(pid);
  if (identity !== undefined) leash().write(`${JSON.stringify(identity)}\n`);
}

/** The folder goes at the latest when this process does. */
export function removeWithUs(folder: string): void {
  leash().write(`${JSON.stringify({ folder })}\n`);
}
