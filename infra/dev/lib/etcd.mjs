import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { etcdEnvironment } from './etcd-binaries.mjs';
import { Failure } from './failure.mjs';
import { freePort } from './ports.mjs';
import { startService } from './service.mjs';

/**
 * @typedef {import('./service.mjs').Service} Service
 *
 * @typedef {object} EtcdOptions
 * @property {string} program path of etcd
 * @property {string} folder of the members' data and logs
 * @property {number} nodes members of the cluster
 * @property {readonly string[]} [args] further ones, for each member
 * @property {AbortSignal} [signal]
 * @property {(service: Service) => void} [onSpawn]
 *
 * @typedef {object} EtcdMember
 * @property {string} name
 * @property {string} endpoint `host:port` for clients
 * @property {Service} service the process that was started last
 * @property {(options?: { waits?: boolean }) => Promise<void>} start starts it, again on its data;
 *   `waits` false: returns without waiting until it answers, for which it needs a quorum
 */

const HOST = '127.0.0.1';
const READY_DEADLINE_MS = 60_000;
const HEALTH_DEADLINE_MS = 1_000;
const PORT_TRIES = 3;

/**
 * Starts an etcd cluster on loopback, on free ports; ready when each member serves linearizable
 * reads.
 *
 * @param {EtcdOptions} options
 * @returns {Promise<EtcdMember[]>} rejects with `Failure` or `Stopped`; nothing runs then
 */
export async function startEtcd(options) {
  for (let tries = 1; ; tries += 1) {
    const members = await planMembers(options);
    const started = await Promise.allSettled(members.map((member) => member.start()));
    const failed = started.find((result) => result.status === 'rejected');
    if (failed === undefined) return members;
    await Promise.all(
      members.map(async (member, at) => {
        if (started[at]?.status === 'fulfilled') await member.service.stop({ force: true });
      }),
    );
    if (!(failed.reason instanceof PortTaken) || tries === PORT_TRIES) throw failed.reason;
    await Promise.all(members.map(({ name }) => rm(dataFolder(options, name), FORCED)));
  }
}

const FORCED = { recursive: true, force: true };

/** @param {EtcdOptions} options @param {string} name */
function dataFolder({ folder }, name) {
  return join(folder, name);
}

/** @param {EtcdOptions} options @returns {Promise<EtcdMember[]>} */
async function planMembers(options) {
  /** @type {number[]} */
  const ports = [];
  while (ports.length < 2 * options.nodes) {
    const port = await freePort();
    if (!ports.includes(port)) ports.push(port);
  }
  const plans = Array.from({ length: options.nodes }, (_, at) => ({
    name: `etcd-${at + 1}`,
    endpoint: `${HOST}:${ports[2 * at]}`,
    peer: `http://${HOST}:${ports[2 * at + 1]}`,
  }));
  const cluster = plans.map(({ name, peer }) => `${name}=${peer}`).join(',');
  // Keeps a member from joining another cluster that held the same ports before.
  const token = randomBytes(6).toString('hex');
  return plans.map((plan) => makeMember(options, { ...plan, cluster, token }));
}

/**
 * @param {EtcdOptions} options
 * @param {{ name: string, endpoint: string, peer: string, cluster: string, token: string }} plan
 * @returns {EtcdMember}
 */
function makeMember(options, { name, endpoint, peer, cluster, token }) {
  const args = [
    ...['--name', name, '--data-dir', dataFolder(options, name)],
    ...['--listen-client-urls', `http://${endpoint}`],
    ...['--advertise-client-urls', `http://${endpoint}`],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', cluster, '--initial-cluster-token', token],
    ...['--logger', 'zap', '--log-level', 'warn'],
    ...(options.args ?? []),
  ];
  /** @type {Service | undefined} */
  let service;
  return {
    name,
    endpoint,
    get service() {
      if (service === undefined) throw new Error(`${name} was never started`);
      return service;
    },
    start: async ({ waits = true } = {}) => {
      service = await startService({
        name,
        title: `etcd (${name})`,
        command: options.program,
        args,
        env: etcdEnvironment(),
        logFile: join(options.folder, `${name}.log`),
        stopPlan: [{ signal: 'SIGTERM', graceMs: 8_000 }],
        ready: () => !waits || isHealthy(endpoint),
        readyDeadlineMs: READY_DEADLINE_MS,
        explain,
        ...(options.signal && { signal: options.signal }),
        ...(options.onSpawn && { onSpawn: options.onSpawn }),
      });
    },
  };
}

/** Asks for a read that needs a quorum. @param {string} endpoint */
async function isHealthy(endpoint) {
  try {
    const signal = AbortSignal.timeout(HEALTH_DEADLINE_MS);
    const answer = await fetch(`http://${endpoint}/health`, { signal });
    return answer.ok && /** @type {any} */ (await answer.json()).health === 'true';
  } catch {
    return false;
  }
}

class PortTaken extends Failure {}

/** @param {string} complaint */
function explain(complaint) {
  if (!/address already in use/i.test(complaint)) return undefined;
  return new PortTaken('A port for etcd was taken by another program.');
}
