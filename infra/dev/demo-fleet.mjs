#!/usr/bin/env node
// The demo's consumers: 20 instances of a service in one process, each with a connection of its own.
import { parseArgs } from 'node:util';
import { connect } from '../../libs/sdk/dist/index.js';
import { describeFleetMessage } from './lib/fleet-messages.mjs';

/** Consumers that lag this far behind the first one are reported without waiting for them. */
const STRAGGLERS_MS = 5_000;
const MAX_CHANGES = 3;
const REOPEN_MS = 1_000;
const START_TIMEOUT_MS = 60_000;

const { values: options } = parseArgs({
  options: {
    installation: { type: 'string', default: 'main' },
    address: { type: 'string', default: 'acme/prod/checkout' },
    count: { type: 'string', default: '20' },
    cache: { type: 'string', default: '.pawl/demo-cache' },
  },
});
const count = Number(options.count);
const servers = process.env.PAWL_NATS_URL || 'nats://127.0.0.1:7422';

/**
 * @typedef {object} Arrival of a version; candidates of a release in stages see another change than the rest
 * @property {number} since
 * @property {number} last
 * @property {Set<number>} seen
 * @property {boolean} lowered
 * @property {number} changed consumers that read something else by it
 * @property {{ path: string, value: unknown }[]} changes of the first of these
 * @property {NodeJS.Timeout} timer
 */

/** @type {Map<number, Arrival>} */
const underWay = new Map();
/** @type {Map<number, { count: number, reason: string, timer: NodeJS.Timeout }>} */
const rejections = new Map();
let highest = 0;
let closing = false;

/** @param {import('./lib/fleet-messages.mjs').FleetMessage} message */
function report(message) {
  if (process.send === undefined) process.stdout.write(`${describeFleetMessage(message)}\n`);
  else if (process.connected) process.send(message);
}

/** @param {number} index @param {any} scope @param {any} event */
function onApplied(index, scope, event) {
  let entry = underWay.get(event.version);
  if (entry === undefined) {
    const timer = setTimeout(() => conclude(event.version), STRAGGLERS_MS);
    const begun = { since: Date.now(), last: 0, seen: new Set(), timer };
    entry = { ...begun, lowered: event.lowered, changed: 0, changes: [] };
    underWay.set(event.version, entry);
  }
  entry.seen.add(index);
  entry.last = Date.now();
  const changes = changesOf(scope, event);
  if (changes.length > 0) entry.changed += 1;
  if (entry.changes.length === 0) entry.changes = changes;
  if (entry.seen.size === count) conclude(event.version);
}

/** @param {number} version */
function conclude(version) {
  const entry = underWay.get(version);
  if (entry === undefined) return;
  clearTimeout(entry.timer);
  underWay.delete(version);
  const { since, last, seen, lowered, changed, changes } = entry;
  // A version that was overtaken on the way is no news.
  if (version < highest && seen.size < count) return;
  highest = Math.max(highest, version);
  report({
    type: 'applied',
    version,
    applied: seen.size,
    consumers: count,
    spreadMs: last - since,
    ...{ lowered, changed, changes },
  });
}

/** @param {any} scope @param {any} event */
function changesOf(scope, { previous, changedPaths }) {
  if (previous === null) return [];
  return changedPaths
    .slice(0, MAX_CHANGES)
    .map((/** @type {string} */ path) => ({ path, value: scope.get(path) }));
}

/** @param {{ version: number, reason: string }} event */
function onRejected({ version, reason }) {
  const entry = rejections.get(version);
  if (entry !== undefined) {
    entry.count += 1;
    return;
  }
  const timer = setTimeout(() => {
    const rejected = rejections.get(version)?.count ?? 1;
    rejections.delete(version);
    report({ type: 'rejected', version, rejected, consumers: count, reason });
  }, 500);
  rejections.set(version, { count: 1, reason, timer });
}

/** @param {any} pawl */
async function openUntilThere(pawl) {
  for (;;) {
    try {
      return await pawl.open(options.address, { startTimeoutMs: START_TIMEOUT_MS });
    } catch (error) {
      if (closing) return undefined;
      const code = /** @type {{ code?: string }} */ (error).code;
      if (code !== 'no-snapshot') throw error;
      await new Promise((resolve) => setTimeout(resolve, REOPEN_MS));
    }
  }
}

/** @param {number} index @param {any} pawl */
async function follow(index, pawl) {
  const scope = await openUntilThere(pawl);
  if (scope === undefined) return;
  onApplied(index, scope, {
    version: scope.version,
    previous: null,
    lowered: false,
    changedPaths: [],
  });
  scope.on('applied', (/** @type {any} */ event) => onApplied(index, scope, event));
  scope.on('rejected', onRejected);
  if (index === 1) {
    scope.on('absent', (/** @type {any} */ event) =>
      report({ type: 'absent', version: event.version }),
    );
    scope.on('error', (/** @type {any} */ error) =>
      report({ type: 'problem', message: error.message }),
    );
  }
}

/** @param {number} index */
function connectConsumer(index) {
  return connect({
    servers,
    installation: options.installation,
    workload: 'checkout',
    consumerId: `demo-${String(index).padStart(2, '0')}`,
    labels: { region: index % 2 === 0 ? 'eu' : 'us' },
    build: 'demo',
    cacheDir: options.cache,
  });
}

const consumers = await Promise.all(
  Array.from({ length: count }, (_, at) => connectConsumer(at + 1)),
);

async function close() {
  if (closing) return;
  closing = true;
  for (const { timer } of [...underWay.values(), ...rejections.values()]) clearTimeout(timer);
  await Promise.all(consumers.map((consumer) => consumer.close()));
  process.exit(0);
}

process.on('SIGTERM', close);
process.on('SIGINT', close);
// Whoever started us is gone: a fleet is of use only beside its launcher.
process.on('disconnect', close);

/** @param {unknown} error */
function giveUp(error) {
  if (closing) return;
  report({ type: 'problem', message: error instanceof Error ? error.message : String(error) });
  process.exitCode = 1;
  void close();
}

consumers.forEach((consumer, at) => void follow(at + 1, consumer).catch(giveUp));
report({ type: 'started', consumers: count });
