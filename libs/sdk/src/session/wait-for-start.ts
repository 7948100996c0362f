import type { Capabilities } from '../capabilities.js';
import { PawlError } from '../errors.js';
import type { Link } from '../ports.js';
import type { ScopeRunner } from '../scope/scope-runner.js';

interface WaitOptions {
  readonly capabilities: Capabilities;
  readonly openTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly closing: AbortSignal;
}

/**
 * Waits until something runs. The file is used when the link refuses, or after `openTimeoutMs`.
 * Rejects with `no-snapshot` after `startTimeoutMs` and with `closed` when the client is closed.
 */
export function waitForStart(runner: ScopeRunner, options: WaitOptions): Promise<void> {
  const { capabilities, openTimeoutMs, startTimeoutMs, closing } = options;
  const { foreground, link } = capabilities;
  return new Promise((resolve, reject) => {
    let waiting = true;
    const end = (outcome: () => void): void => {
      if (!waiting) return;
      waiting = false;
      fileTimer.cancel();
      startTimer.cancel();
      closing.removeEventListener('abort', onClose);
      unlisten();
      outcome();
    };
    const settle = (): void => {
      if (waiting) runner.settle();
    };
    const onClose = (): void => end(() => reject(new PawlError('closed', 'closed while opening')));
    const fileTimer = foreground.after(openTimeoutMs, settle);
    const startTimer = foreground.after(startTimeoutMs, () => {
      end(() => reject(noSnapshot(runner, link, startTimeoutMs)));
    });
    closing.addEventListener('abort', onClose);
    const unlisten = link.onState((state) => {
      if (state === 'down') settle();
    });
    if (link.state === 'down') settle();
    if (closing.aborted) onClose();
    void runner.started.then(() => end(resolve));
  });
}

function noSnapshot(runner: ScopeRunner, link: Link, waitedMs: number): PawlError {
  return new PawlError(
    'no-snapshot',
    `no snapshot could be started from within ${waitedMs} ms: ${whyNone(runner, link)}`,
  );
}

function whyNone({ lastRejection }: ScopeRunner, { trouble }: Link): string {
  if (lastRejection !== null) {
    return `version ${lastRejection.version} was rejected: ${lastRejection.reason}`;
  }
  if (trouble !== null) return `${trouble}, and no cache folder has one`;
  return 'neither the network nor a cache folder has one';
}
