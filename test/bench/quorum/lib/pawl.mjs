import { join } from 'node:path';
import { freePort } from '../../../../infra/dev/lib/ports.mjs';
import { REPOSITORY } from '../../../../infra/dev/lib/repository.mjs';
import { startService } from '../../../../infra/dev/lib/service.mjs';
import { answersRead } from './cluster.mjs';

const PAWL = join(REPOSITORY, 'apps', 'cli', 'bin', 'pawl.mjs');
const HOST = '127.0.0.1';
const READY_DEADLINE_MS = 60_000;
const ASK_MS = 1_000;

/**
 * Starts members of a quorum on loopback, with `pawl quorum` as people do; ready when each answers
 * linearizable reads.
 *
 * @param {object} options
 * @param {string} options.folder of the members' data and logs
 * @param {number} options.nodes
 * @param {NodeJS.ProcessEnv} options.env settings of all members
 * @param {AbortSignal} options.signal
 * @param {(service: import('../../../../infra/dev/lib/service.mjs').Service) => void} options.onSpawn
 */
export async function startPawl({ folder, nodes, env, signal, onSpawn }) {
  const plans = [];
  for (let at = 1; at <= nodes; at += 1) {
    plans.push({
      id: `node-${at}`,
      peer: await freePort(),
      etcd: await freePort(),
      http: await freePort(),
    });
  }
  const peers = plans.map(({ id, peer }) => `${id}=${HOST}:${peer}`).join(',');
  const members = plans.map(({ id, peer, etcd, http }) => {
    const endpoint = `${HOST}:${etcd}`;
    const member = {
      endpoint,
      service: /** @type {any} */ (undefined),
      start: async ({ waits = true } = {}) => {
        member.service = await startService({
          name: id,
          title: `pawl quorum (${id})`,
          command: process.execPath,
          args: [PAWL, 'quorum'],
          env: {
            ...process.env,
            ...env,
            PAWL_DATA_DIR: join(folder, id),
            PAWL_NODE_ID: id,
            PAWL_PEERS: peers,
            PAWL_PEER_PORT: String(peer),
            PAWL_ETCD_PORT: String(etcd),
            PAWL_HTTP_PORT: String(http),
            PAWL_LOG_LEVEL: 'warn',
          },
          logFile: join(folder, `${id}.log`),
          stopPlan: [{ signal: 'SIGTERM', graceMs: 15_000 }],
          ready: () => !waits || answersRead(endpoint),
          readyDeadlineMs: READY_DEADLINE_MS,
          signal,
          onSpawn,
        });
      },
      longestBlockMs: () => longestBlock(`http://${HOST}:${http}/metrics`),
    };
    return member;
  });
  await Promise.all(members.map((member) => member.start()));
  // What starting took is not what is measured.
  await Promise.all(members.map((member) => member.longestBlockMs()));
  return members;
}

/** Of the node's event loop since this was last asked, in milliseconds. @param {string} url */
async function longestBlock(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ASK_MS) });
  const text = await answer.text();
  const seconds = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1];
  return seconds === undefined ? Number.NaN : Number(seconds) * 1000;
}
