import { poll } from '../../../../infra/dev/lib/delay.mjs';
import {
  COMPACT,
  compactRequest,
  isLeader,
  RANGE,
  rangeRequest,
  revisionOf,
  STATUS,
} from './etcd-messages.mjs';
import { GrpcConnection } from './grpc-connection.mjs';
import { cpuMicroseconds } from './proc.mjs';

const READY_MS = 30_000;
const ASK_MS = 2_000;

/**
 * @typedef {object} Member a process of a cluster
 * @property {string} endpoint `host:port` of its coordination API
 * @property {{ pid: number, stop: (options?: { force?: boolean }) => Promise<void> }} service
 * @property {(options?: { waits?: boolean }) => Promise<void>} start
 * @property {() => Promise<number>} [longestBlockMs] of its event loop
 */

/** Members of one cluster, on either side: all that the benches ask goes over the etcd v3 API. */
export class Cluster {
  /** @param {readonly Member[]} members */
  constructor(members) {
    this.members = members;
  }

  get endpoints() {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** @param {number} at @returns {Promise<GrpcConnection>} */
  connect(at) {
    return GrpcConnection.open(this.members[at].endpoint);
  }

  /** @returns {Promise<number>} the one member that leads, and says so itself */
  async leader() {
    const found = await poll(
      async () => {
        const leads = (endpoint) => ask(endpoint, STATUS, [], isLeader);
        const answers = await Promise.all(this.endpoints.map(leads));
        const at = answers.indexOf(true);
        return at >= 0 && at === answers.lastIndexOf(true) && { at };
      },
      { deadlineMs: READY_MS },
    );
    if (found === undefined) throw new Error('there is not one member that leads');
    return found.at;
  }

  /** Waits until each member answers a linearizable read. */
  async ready() {
    for (const endpoint of this.endpoints) {
      const answer = await poll(() => answersRead(endpoint), { deadlineMs: READY_MS });
      if (answer === undefined) throw new Error(`${endpoint} does not answer`);
    }
  }

  /** CPU time of all members, in microseconds. */
  async cpu() {
    const times = await Promise.all(
      this.members.map(({ service }) => cpuMicroseconds(service.pid)),
    );
    return times.reduce((sum, time) => sum + time, 0);
  }

  /** Gives back the space of the passes before, so that none pays for what another wrote. */
  async compact() {
    const connection = await this.connect(await this.leader());
    try {
      const revision = revisionOf(await connection.call(RANGE, rangeRequest('compact')));
      await connection.call(COMPACT, compactRequest(revision)).catch(() => undefined);
    } finally {
      connection.close();
    }
  }

  /** @param {{ force?: boolean }} [options] */
  async stop(options) {
    await Promise.all(this.members.map(({ service }) => service.stop(options)));
  }
}

/** Whether a linearizable read is answered soon. @param {string} endpoint */
export function answersRead(endpoint) {
  return ask(endpoint, RANGE, rangeRequest('ready'), () => true);
}

/** One call over a connection of its own; false when it fails. */
async function ask(endpoint, path, request, read) {
  const connection = await GrpcConnection.open(endpoint).catch(() => null);
  if (connection === null) return false;
  const late = setTimeout(() => connection.close(), ASK_MS);
  try {
    return read(await connection.call(path, request));
  } catch {
    return false;
  } finally {
    clearTimeout(late);
    connection.close();
  }
}
