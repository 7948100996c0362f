import { closeSync, openSync, readSync, fstatSync } from 'node:fs';
import { mkdir, rename, stat, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';

/** At a start a longer log moves aside, replacing the one that did before. */
const ROTATE_ABOVE_BYTES = 1024 * 1024;
/** A log that grows beyond this while its process runs starts again from nothing. */
const TRUNCATE_ABOVE_BYTES = 64 * 1024 * 1024;
const TAIL_BYTES = 16 * 1024;

/**
 * Opens a log to append to; every write lands at the end, also after it was truncated.
 *
 * @param {string} path
 * @returns {Promise<{ fd: number, start: number }>} `start`: where this run begins
 */
export async function openLog(path) {
  await mkdir(dirname(path), { recursive: true });
  const size = await sizeOf(path);
  if (size > ROTATE_ABOVE_BYTES) await rename(path, `${path}.1`);
  const fd = openSync(path, 'a', 0o600);
  return { fd, start: fstatSync(fd).size };
}

/** @param {string} path */
async function sizeOf(path) {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

/** @param {string} path */
export async function keepLogBounded(path) {
  if ((await sizeOf(path)) > TRUNCATE_ABOVE_BYTES) await truncate(path).catch(() => undefined);
}

/**
 * What a log holds since `start`, at most its last 16 KiB; empty when it cannot be read.
 *
 * @param {string} path
 * @param {number} start
 */
export function readLogTail(path, start) {
  let fd;
  try {
    fd = openSync(path, 'r');
    const { size } = fstatSync(fd);
    const from = Math.max(Math.min(start, size), size - TAIL_BYTES);
    const bytes = Buffer.alloc(size - from);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, from));
  } catch {
    return '';
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * The sentence in which a program says why it gave up: the last line of the highest severity, of
 * PostgreSQL's, nats-server's or the control plane's log.
 *
 * @param {string} text
 * @returns {string | undefined}
 */
export function lastComplaint(text) {
  return linesOf(text)
    .reverse()
    .map(complaintIn)
    .find((complaint) => complaint !== undefined);
}

/** @param {string} text @returns {string | undefined} */
export function lastLine(text) {
  return linesOf(text).at(-1);
}

/** @param {string} text */
function linesOf(text) {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

const SEVERE_LEVEL = 50;

/** @param {string} line */
function complaintIn(line) {
  const postgres = /(?:FATAL|PANIC):\s+(.+)$/.exec(line)?.[1];
  if (postgres !== undefined) return postgres;
  const own = /^pawl:\s+(.+)$/.exec(line)?.[1];
  if (own !== undefined) return own;
  const nats = /\[FTL\]\s+(.+)$/.exec(line)?.[1] ?? /^nats-server:\s+(.+)$/.exec(line)?.[1];
  if (nats !== undefined) return nats;
  if (!line.startsWith('{')) return undefined;
  try {
    const { level, msg, err } = JSON.parse(line);
    const severe =
      typeof level === 'number' ? level >= SEVERE_LEVEL : /^(error|fatal)$/.test(level);
    return severe ? String(msg ?? err?.message ?? '') || undefined : undefined;
  } catch {
    return undefined;
  }
}
