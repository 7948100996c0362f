#!/usr/bin/env node
// Ends processes and removes folders when whoever holds the other end of standard input is gone,
// also by kill -9. One JSON object per line: {"pid", "startedAt"} or {"folder"}.
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { poll } from './lib/delay.mjs';
import { isAlive } from './lib/process-identity.mjs';

const GRACE_MS = 10_000;

/** @type {{ pid: number, startedAt: string }[]} */
const processes = [];
/** @type {string[]} */
const folders = [];

// The signal that ends the holder is not for us: we end after it.
for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.on(name, () => undefined);
}

for await (const line of createInterface({ input: process.stdin })) {
  const entry = JSON.parse(line);
  if (typeof entry.folder === 'string') folders.push(entry.folder);
  else processes.push(entry);
}

/** @param {NodeJS.Signals} signal */
function send(signal) {
  for (const entry of processes.filter(isAlive)) {
    try {
      process.kill(entry.pid, signal);
    } catch {
      // It ended in the meantime.
    }
  }
}

// A process that is stopped hears nothing else.
send('SIGCONT');
// PostgreSQL ends at once on SIGINT; on SIGTERM it waits for its clients.
send('SIGINT');
if ((await poll(() => !processes.some(isAlive), { deadlineMs: GRACE_MS })) === undefined) {
  send('SIGKILL');
}
for (const folder of folders) await rm(folder, { recursive: true, force: true });
