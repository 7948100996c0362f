import { readFile } from 'node:fs/promises';

/** What Linux counts CPU time in (`man 5 proc`). */
const TICKS_PER_SECOND = 100;

/** @param {number} pid @returns {Promise<number>} microseconds, NaN where there is no /proc */
export async function cpuMicroseconds(pid) {
  const text = await read(pid, 'stat');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

/** @param {number} pid @returns {Promise<number>} NaN where there is no /proc */
export async function residentBytes(pid) {
  return numberAfter(await read(pid, 'status'), 'VmRSS') * 1024;
}

/** Write calls since the start, to files and to sockets. @param {number} pid */
export async function writeCalls(pid) {
  return numberAfter(await read(pid, 'io'), 'syscw');
}

async function read(pid, name) {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

function numberAfter(text, name) {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
}
