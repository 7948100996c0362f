import { endpointsOf, startControlPlane } from './control-plane.mjs';
import { Failure } from './failure.mjs';
import { readJson } from './files.mjs';
import { letIn } from './let-in.mjs';
import { recordNodes } from './node-plan.mjs';
import { logFileOf } from './stack.mjs';

/**
 * @typedef {import('./node-plan.mjs').PlannedNode} PlannedNode
 * @typedef {import('./service.mjs').Service} Service
 *
 * @typedef {object} NodeGroup what nodes of one quorum have in common
 * @property {import('./data-folder.mjs').DataFolder} data
 * @property {readonly PlannedNode[]} nodes
 * @property {string} peerHost where their members listen
 * @property {NodeJS.ProcessEnv} env of each
 * @property {(service: Service) => void} onSpawn
 *
 * @typedef {{ node: PlannedNode, url: string, service: Service }} RunningNode
 *
 * @typedef {<T>(label: string, work: (step: import('./terminal.mjs').Step) => Promise<{ result: T, detail: string }>) => Promise<T>} RunStep
 */

/**
 * Starts all of them: those that the quorum knows together, since they need each other, then each new
 * one after it was let in.
 *
 * @param {NodeGroup} group
 * @param {{ step: RunStep, signal: AbortSignal, started: (running: RunningNode) => void }} how
 * @returns {Promise<readonly RunningNode[]>} in the order of `group.nodes`
 */
export async function startNodes(group, { step, signal, started }) {
  const known = group.nodes.filter(({ isNew }) => !isNew);
  /** @type {RunningNode[]} */
  const running = [];
  await recordNodes(group.data, known);
  const names = known.map(({ id }) => id).join(', ');
  await step(`Starting ${names}`, async ({ progress }) => {
    const start = async (/** @type {PlannedNode} */ node) => {
      const one = await startNode(group, { node, members: known, signal });
      running.push(one);
      started(one);
      if (known.length > 1) progress(running.length, known.length, 'ready');
    };
    await Promise.all(known.map(start));
    return { result: undefined, detail: known.length === 1 ? (running[0]?.url ?? '') : '' };
  });
  for (const node of group.nodes.filter(({ isNew }) => isNew)) {
    const members = running.map((one) => one.node);
    const one = await step(`Starting ${node.id}, which joins the quorum`, async ({ update }) => {
      update('being let in');
      await recordNodes(group.data, [...members, node]);
      const peerAddress = peerOf(group, node);
      await letIn({
        endpoint: await coordinationApi(running[0]),
        id: node.id,
        peerAddress,
        signal,
      });
      update('receiving the log');
      const result = await startNode(group, { node, members, signal });
      return { result, detail: result.url };
    });
    running.push(one);
    started(one);
  }
  return group.nodes.flatMap((node) => running.filter((one) => one.node === node));
}

/**
 * Starts one whose member the quorum knows.
 *
 * @param {NodeGroup} group
 * @param {{ node: PlannedNode, members: readonly PlannedNode[], signal: AbortSignal }} what `members`
 *   of the quorum, where the node finds it
 * @returns {Promise<RunningNode>}
 */
export async function startNode(group, { node, members, signal }) {
  const { id, folder, ports } = node;
  const others = members.filter((other) => other.id !== id);
  const joins = folder !== group.data.path && others.length > 0;
  const { url, service } = await startControlPlane({
    data: group.data,
    name: id,
    folder,
    env: {
      ...group.env,
      PAWL_NODE_ID: id,
      PAWL_HTTP_PORT: String(ports.http),
      PAWL_PEER_PORT: String(ports.peer),
      PAWL_PEER_ADVERTISE: peerOf(group, node),
      PAWL_ETCD_PORT: String(ports.etcd),
      ...(joins && {
        PAWL_JOIN: 'true',
        PAWL_PEERS: others.map((other) => `${other.id}=${peerOf(group, other)}`).join(','),
      }),
    },
    logFile: logFileOf(group.data.logs, id),
    signal,
    onSpawn: group.onSpawn,
  });
  return { node, url, service };
}

/** @param {NodeGroup} group @param {PlannedNode} node `host:port` where the others find it */
function peerOf({ peerHost }, { ports }) {
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[peerHost] ?? peerHost;
  return `${host.includes(':') ? `[${host}]` : host}:${ports.peer}`;
}

/** @param {RunningNode | undefined} running @returns {Promise<string>} `host:port` */
async function coordinationApi(running) {
  const endpoints = running && (await readJson(endpointsOf(running.node.folder)));
  if (typeof endpoints?.etcd !== 'string') {
    throw new Failure('No node of the quorum says where its coordination API is.');
  }
  return new URL(endpoints.etcd).host;
}
