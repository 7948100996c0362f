import { readFileSync } from 'node:fs';

/** A process of this machine (or container), told from a later one under the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start in clock ticks since boot (proc(5), `starttime`); null where the system does not say. */
  readonly startedAt: string | null;
  /** The boot, after which no process of an earlier one lives; null where the system does not say. */
  readonly boot: string | null;
}

/** As read from a file: what is not there, or null, was not known to who wrote it. */
export type WrittenIdentity = Pick<ProcessIdentity, 'pid'> & Partial<ProcessIdentity>;

const STATE_FIELD = 0;
const START_FIELD = 19;

export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startedAt: statOf(process.pid)?.startedAt ?? null, boot: bootId() };
}

/**
 * Whether exactly that process still lives; a zombie does not. Where its start is not written down,
 * or the system does not say, any process under its id is taken for it.
 */
export function isAlive({ pid, startedAt, boot }: WrittenIdentity): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  if (differ(boot, bootId())) return false;
  const now = statOf(pid);
  if (now !== undefined && (now.isDead || differ(startedAt, now.startedAt))) return false;
  return isTaken(pid);
}

/** Two statements of which neither is missing, and which are not the same. */
function differ(written: string | null | undefined, now: string | null): boolean {
  return (written ?? null) !== null && now !== null && written !== now;
}

function isTaken(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What Linux tells of a process; `undefined` elsewhere, and where there is none. */
function statOf(pid: number): { isDead: boolean; startedAt: string | null } | undefined {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return undefined;
  // The fields after the command, which may itself hold blanks and brackets.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = fields[STATE_FIELD];
  return { isDead: state === 'Z' || state === 'X', startedAt: fields[START_FIELD] ?? null };
}

function bootId(): string | null {
  return read('/proc/sys/kernel/random/boot_id')?.trim() ?? null;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
