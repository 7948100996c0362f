import { spawn } from 'node:child_process';
import { Failure, Stopped } from './failure.mjs';

/** Of a command's output the last bytes are kept: its complaint is at the end. */
const KEPT_OUTPUT_BYTES = 64 * 1024;
const KILL_GRACE_MS = 2_000;

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {number} [uid]
 * @property {number} [gid]
 * @property {string} [input] written to its standard input
 * @property {number} deadlineMs
 * @property {AbortSignal} [signal]
 * @property {(pid: number) => void} [onSpawn]
 */

/**
 * Runs a command to its end, in a process group of its own, so that Ctrl-C reaches it only through
 * `signal`, and nothing that it started outlives a stop.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<{ code: number | null, output: string }>} `code` is `null` when a signal ended
 *   it; `output` is the tail of both streams. Rejects with `Failure` when it cannot be started or
 *   the deadline passes, with `Stopped` when the signal fires.
 */
export function run(command, args, options) {
  const { cwd, env, uid, gid, input, deadlineMs, signal, onSpawn } = options;
  if (signal?.aborted) return Promise.reject(new Stopped());
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: env ?? process.env,
      ...(uid === undefined ? {} : { uid, gid }),
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    /** @type {Error | undefined} */
    let reason;
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk.toString('utf8')).slice(-KEPT_OUTPUT_BYTES);
    };
    const end = (/** @type {Error} */ why) => {
      if (reason !== undefined) return;
      reason = why;
      killGroup(child.pid, 'SIGTERM');
      forced = setTimeout(() => killGroup(child.pid, 'SIGKILL'), KILL_GRACE_MS);
    };
    /** @type {NodeJS.Timeout | undefined} */
    let forced;
    const late = new Failure(`${command} did not finish within ${deadlineMs / 1000} s.`);
    const timer = setTimeout(() => end(late), deadlineMs);
    const onAbort = () => end(new Stopped());
    signal?.addEventListener('abort', onAbort, { once: true });
    const settle = (/** @type {() => void} */ how) => {
      clearTimeout(timer);
      clearTimeout(forced);
      signal?.removeEventListener('abort', onAbort);
      how();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
    child.once('error', (error) => settle(() => reject(cannotStart(command, error))));
    child.once('close', (code) =>
      settle(() => (reason === undefined ? resolve({ code, output }) : reject(reason))),
    );
    if (child.pid !== undefined) onSpawn?.(child.pid);
  });
}

/** @param {string} command @param {Error} error */
function cannotStart(command, error) {
  const code = /** @type {NodeJS.ErrnoException} */ (error).code;
  const why = code === 'ENOENT' ? 'it is not installed' : error.message;
  return new Failure(`${command} cannot be started: ${why}.`, { cause: error });
}

/**
 * Sends a signal to a process group that `run` or `startService` made; one that is gone is fine.
 *
 * @param {number | undefined} pid
 * @param {NodeJS.Signals} signal
 */
export function killGroup(pid, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone, or no longer ours to signal.
  }
}
