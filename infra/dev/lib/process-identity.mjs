import { execFileSync } from 'node:child_process';
import { readTextSync } from './files.mjs';

/**
 * @typedef {object} ProcessIdentity
 * @property {number} pid
 * @property {string} startedAt tells this process from a later one with the same number
 */

const STATE_FIELD = 0;
const PARENT_FIELD = 1;
const START_FIELD = 19;

/**
 * The identity of a process that lives (a zombie does not), else `undefined`. On Linux it is the
 * machine's boot and the process's start in clock ticks (proc(5), `starttime`), elsewhere what ps
 * says to the second.
 *
 * @param {number} pid
 * @returns {ProcessIdentity | undefined}
 */
export function identify(pid) {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const startedAt = process.platform === 'linux' ? startOnLinux(pid) : startElsewhere(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/**
 * Whether exactly that process still lives.
 *
 * @param {Partial<ProcessIdentity> | undefined | null} identity as read from a file: not to be trusted
 */
export function isAlive(identity) {
  if (typeof identity?.pid !== 'number' || typeof identity.startedAt !== 'string') return false;
  return identify(identity.pid)?.startedAt === identity.startedAt;
}

/**
 * The parent's pid of a process on Linux; `undefined` elsewhere, or when it is gone.
 *
 * @param {number} pid
 */
export function parentOf(pid) {
  const parent = Number(statFields(pid)?.[PARENT_FIELD]);
  return Number.isSafeInteger(parent) ? parent : undefined;
}

const SHELL = /^(sh|dash|bash|ash|zsh|ksh|busybox)$/;

/**
 * The processes that have to live for somebody to still want this one: its parent, and where that is
 * only a shell that runs one command, the parent of the shell.
 *
 * @returns {readonly number[]} pids, nearest first
 */
export function wantedBy() {
  const parent = process.ppid;
  const isShell = SHELL.test(readTextSync(`/proc/${parent}/comm`)?.trim() ?? '');
  const above = isShell ? parentOf(parent) : undefined;
  return above === undefined ? [parent] : [parent, above];
}

/**
 * Whether a process lost one of the ancestors that `wantedBy` named: whoever loses its parent is
 * given another.
 *
 * @param {number} pid @param {readonly number[]} ancestors
 */
export function lostAncestor(pid, ancestors) {
  let child = pid;
  for (const ancestor of ancestors) {
    const parent = child === process.pid ? process.ppid : parentOf(child);
    if (parent !== undefined && parent !== ancestor) return true;
    child = ancestor;
  }
  return false;
}

/** @param {number} pid */
function startOnLinux(pid) {
  const fields = statFields(pid);
  if (fields === undefined || fields[STATE_FIELD] === 'Z' || fields[STATE_FIELD] === 'X') {
    return undefined;
  }
  return `${bootId()}/${fields[START_FIELD]}`;
}

/** Fields of /proc/<pid>/stat after the command, which may itself hold blanks and brackets. */
function statFields(/** @type {number} */ pid) {
  const text = readTextSync(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** @type {string | undefined} */
let boot;

function bootId() {
  boot ??= readTextSync('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return boot;
}

/** @param {number} pid */
function startElsewhere(pid) {
  try {
    const args = ['-o', 'state=,lstart=', '-p', String(pid)];
    const [, state, start] =
      /^\s*(\S+)\s+(.+?)\s*$/.exec(execFileSync('ps', args, { encoding: 'utf8', stdio: 'pipe' })) ??
      [];
    return state === undefined || state.startsWith('Z') ? undefined : start;
  } catch {
    return undefined;
  }
}
