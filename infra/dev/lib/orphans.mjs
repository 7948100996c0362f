import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { poll } from './delay.mjs';
import { Failure } from './failure.mjs';
import { readTextSync } from './files.mjs';
import { readRecord } from './launch-record.mjs';
import { natsConfiguration } from './nats.mjs';
import { identify, isAlive, parentOf } from './process-identity.mjs';

/**
 * @typedef {import('./process-identity.mjs').ProcessIdentity} ProcessIdentity
 * @typedef {import('./data-folder.mjs').DataFolder} DataFolder
 * @typedef {ProcessIdentity & { name: string }} Orphan
 */

/** Set in the environment of the Node processes that a launcher starts: its data folder. */
export const MARK = 'LAUNCHED_BY_PAWL';

/** In the order in which they are stopped; PostgreSQL ends fast, and cleanly, on SIGINT. */
const KINDS = /** @type {const} */ ([
  { names: /^demo-fleet$/, signal: 'SIGTERM', graceMs: 4_000 },
  // Of several control planes each bears its node's name; each gives its own orderly stop 20 s.
  { names: /^(control-plane|node-\d+)$/, signal: 'SIGTERM', graceMs: 22_000 },
  { names: /^nats$/, signal: 'SIGTERM', graceMs: 8_000 },
  { names: /^postgres$/, signal: 'SIGINT', graceMs: 10_000 },
]);
const KILLED_WITHIN_MS = 5_000;

/**
 * Stops what an earlier launcher of this data folder left running, after a kill -9 say. To be called
 * under the launcher's lock. A process counts only if it is provably of this folder: recorded with
 * its start time, or (on Linux, in case the launcher was killed before it could record it) started
 * on files of the folder.
 *
 * @param {DataFolder} data
 * @returns {Promise<readonly string[]>} names of what was stopped
 */
export async function stopOrphans(data) {
  const orphans = await findOrphans(data);
  for (const { names, signal, graceMs } of KINDS) {
    const mine = orphans.filter(({ name }) => names.test(name));
    await Promise.all(mine.map((orphan) => end(orphan, signal, graceMs)));
  }
  return [...new Set(orphans.map(({ name }) => name))];
}

/** @param {DataFolder} data @returns {Promise<Orphan[]>} */
export async function findOrphans(data) {
  const record = await readRecord(data.record);
  const recorded = (record?.children ?? []).filter(
    (child) => KINDS.some(({ names }) => names.test(child.name)) && isAlive(child),
  );
  const found = process.platform === 'linux' ? scanProcesses(data) : [];
  const pids = new Set(recorded.map(({ pid }) => pid));
  return [...recorded, ...found.filter(({ pid }) => !pids.has(pid))];
}

/** @param {DataFolder} data @returns {Orphan[]} */
function scanProcesses(data) {
  /** @type {Map<number, string>} */
  const names = new Map();
  for (const pid of readdirSync('/proc').map(Number)) {
    if (!Number.isSafeInteger(pid) || pid === process.pid) continue;
    const name = nameOf(pid, data);
    if (name !== undefined) names.set(pid, name);
  }
  return [...names].flatMap(([pid, name]) => {
    // A backend of PostgreSQL looks like its server until it has named itself; they end together.
    const isForked = names.get(parentOf(pid) ?? 0) === name;
    const identity = isForked ? undefined : identify(pid);
    return identity === undefined ? [] : [{ name, ...identity }];
  });
}

/** @param {number} pid @param {DataFolder} data @returns {string | undefined} */
function nameOf(pid, data) {
  const args = readTextSync(`/proc/${pid}/cmdline`)?.split('\0') ?? [];
  const program = basename(args[0] ?? '');
  if (program === 'nats-server') {
    return args.includes(natsConfiguration(data.nats)) ? 'nats' : undefined;
  }
  if (program === 'postgres' || program === 'initdb') {
    return args.some((arg) => arg === data.postgres || arg.startsWith(`${data.postgres}.`))
      ? 'postgres'
      : undefined;
  }
  const script = basename(args.find((arg) => /\/(main\.js|demo-fleet\.mjs)$/.test(arg)) ?? '');
  if (script === '' || !isMarked(pid, data)) return undefined;
  return script === 'main.js' ? 'control-plane' : 'demo-fleet';
}

/** @param {number} pid @param {DataFolder} data */
function isMarked(pid, data) {
  const environment = readTextSync(`/proc/${pid}/environ`)?.split('\0') ?? [];
  return environment.includes(`${MARK}=${data.path}`);
}

/** @param {Orphan} orphan @param {NodeJS.Signals} signal @param {number} graceMs */
async function end(orphan, signal, graceMs) {
  for (const [name, waitMs] of /** @type {const} */ ([
    [signal, graceMs],
    ['SIGKILL', KILLED_WITHIN_MS],
  ])) {
    if (!isAlive(orphan)) return;
    send(orphan, name);
    if ((await poll(() => !isAlive(orphan), { deadlineMs: waitMs })) !== undefined) return;
  }
  throw new Failure(
    `Process ${orphan.pid} (${orphan.name}), left by an earlier start, does not end: end it by hand.`,
  );
}

/** @param {Orphan} orphan @param {NodeJS.Signals} signal */
function send({ pid, name }, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EPERM') return;
    throw new Failure(
      `Process ${pid} (${name}), left by an earlier start, belongs to another user: ` +
        'start as that user, or end it by hand.',
      { cause: error },
    );
  }
}
