import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { delay, poll } from './delay.mjs';
import { Failure, onFiles } from './failure.mjs';
import { lastComplaint, lastLine, openLog, readLogTail } from './logs.mjs';
import { identify } from './process-identity.mjs';
import { killGroup } from './run.mjs';

/**
 * @typedef {import('./process-identity.mjs').ProcessIdentity} ProcessIdentity
 * @typedef {readonly { signal: NodeJS.Signals, graceMs: number }[]} StopPlan signals in turn, each
 *   with the time it gets; SIGKILL comes last by itself
 */

/**
 * @typedef {object} ServiceOptions
 * @property {string} name
 * @property {string} title for people
 * @property {string} command
 * @property {readonly string[]} args
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} [cwd]
 * @property {number} [uid]
 * @property {number} [gid]
 * @property {boolean} [ipc] with a message channel
 * @property {string} logFile
 * @property {StopPlan} stopPlan
 * @property {StopPlan} [forcePlan] when there is no time: SIGKILL at once by default
 * @property {(service: Service) => Promise<boolean> | boolean} ready
 * @property {number} readyDeadlineMs
 * @property {(complaint: string) => Failure | undefined} [explain] a clearer sentence for a failed start
 * @property {AbortSignal} [signal]
 * @property {(service: Service) => void} [onSpawn]
 */

/**
 * @typedef {object} Service a process that runs beside the launcher
 * @property {string} name
 * @property {string} title
 * @property {string} logFile
 * @property {number} pid
 * @property {ProcessIdentity | undefined} identity
 * @property {Promise<{ code: number | null, signal: NodeJS.Signals | null }>} exited
 * @property {() => boolean} isRunning
 * @property {() => string} tail what it logged since it started, the end of it
 * @property {(options?: { force?: boolean }) => Promise<void>} stop ends it and its whole process
 *   group within the plan's time; never rejects
 * @property {import('node:child_process').ChildProcess} child
 */

const READY_EVERY_MS = 20;
const KILLED_WITHIN_MS = 5_000;

/**
 * Starts a process in a session of its own (so that Ctrl-C in the terminal reaches only the
 * launcher, which stops everything in order), with its output in a log, and waits until it is ready.
 *
 * @param {ServiceOptions} options
 * @returns {Promise<Service>} rejects with `Failure` when it dies or is not ready in time, with
 *   `Stopped` on the signal; the process is then gone
 */
export async function startService(options) {
  const service = await spawnService(options);
  options.onSpawn?.(service);
  try {
    await waitUntilReady(service, options);
    return service;
  } catch (error) {
    await service.stop();
    throw error;
  }
}

/** @param {ServiceOptions} options @returns {Promise<Service>} */
async function spawnService(options) {
  const { name, title, command, args, env, cwd, uid, gid, ipc, logFile } = options;
  const log = await onFiles(logFile, () => openLog(logFile));
  const child = spawn(command, args, {
    cwd: cwd ?? '/',
    env: env ?? process.env,
    ...(uid === undefined ? {} : { uid, gid }),
    detached: true,
    stdio: ['ignore', log.fd, log.fd, ...(ipc === true ? /** @type {const} */ (['ipc']) : [])],
  });
  closeSync(log.fd);
  const spawned = new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(undefined));
    child.once('error', (error) =>
      reject(new Failure(`${title} cannot be started: ${error.message}.`, { cause: error })),
    );
  });
  /** @type {Service['exited']} */
  const exited = new Promise((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  );
  await spawned;
  const pid = /** @type {number} */ (child.pid);
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    name,
    title,
    logFile,
    pid,
    identity: identify(pid),
    exited,
    isRunning,
    tail: () => readLogTail(logFile, log.start),
    stop: async ({ force = false } = {}) => {
      const plan = force ? (options.forcePlan ?? []) : options.stopPlan;
      await stopProcess({ pid, exited, isRunning }, plan);
    },
    child,
  };
}

/**
 * @param {Pick<Service, 'pid' | 'exited' | 'isRunning'>} process_
 * @param {StopPlan} plan
 */
async function stopProcess({ pid, exited, isRunning }, plan) {
  for (const { signal, graceMs } of plan) {
    if (!isRunning()) break;
    signalProcess(pid, signal);
    await within(exited, graceMs);
  }
  // Also after an orderly end: what it started itself goes with it.
  killGroup(pid, 'SIGKILL');
  if (isRunning()) await within(exited, KILLED_WITHIN_MS);
}

/** @param {number} pid @param {NodeJS.Signals} signal */
function signalProcess(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}

/** @param {Promise<unknown>} promise @param {number} ms */
async function within(promise, ms) {
  const timer = new AbortController();
  await Promise.race([promise, delay(ms, timer.signal).catch(() => undefined)]);
  timer.abort();
}

/** @param {Service} service @param {ServiceOptions} options */
async function waitUntilReady(service, { ready, readyDeadlineMs, explain, signal }) {
  const answer = await poll(
    async () => {
      if (!service.isRunning()) return 'ended';
      return (await ready(service)) && 'ready';
    },
    { deadlineMs: readyDeadlineMs, everyMs: READY_EVERY_MS, ...(signal && { signal }) },
  );
  if (answer === 'ready') return;
  const killedBy = service.child.signalCode;
  const text = service.tail();
  // Who is killed has no last word: its last line is about something else.
  const complaint = lastComplaint(text) ?? (killedBy === null ? lastLine(text) : undefined) ?? '';
  const explained = explain?.(complaint);
  if (explained !== undefined) throw explained;
  const what =
    answer === 'ended'
      ? `${service.title} ended while it was starting${killedBy === null ? '' : ` with ${killedBy}`}`
      : `${service.title} was not ready within ${readyDeadlineMs / 1000} s`;
  const why = complaint === '' ? '' : `: ${complaint}`;
  throw new Failure(`${what}${why} (log: ${service.logFile}).`);
}
