import { endpointsOf, startControlPlane } from './control-plane.mjs';
import { Failure, Stopped } from './failure.mjs';
import { readJson } from './files.mjs';
import { letIn } from './let-in.mjs';
import { RemovedNode, wasRemoved } from './node-keeper.mjs';
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
 * @property {(node: PlannedNode, service: Service) => void} onSpawn
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
 * @param {object} how
 * @param {RunStep} how.step
 * @param {AbortSignal} how.signal
 * @param {(running: RunningNode) => void} how.started
 * @param {(node: PlannedNode) => Promise<unknown>} how.forget one that turns out to have been removed
 *   from the quorum; the start goes on without it
 * @returns {Promise<readonly RunningNode[]>} at least one, in the order of `group.nodes`
 */
export async function startNodes(group, { step, signal, started, forget }) {
  const known = group.nodes.filter(({ isNew }) => !isNew);
  /** @type {RunningNode[]} */
  const running = [];
  await recordNodes(group.data, known);
  const names = known.map(({ id }) => id).join(', ');
  await step(`Starting ${names}`, async ({ progress }) => {
    const waiting = new Set(known.map(({ id }) => id));
    const tell = () => {
      const of = waiting.size === 0 ? '' : `, waiting for ${[...waiting].join(', ')}`;
      if (known.length > 1) progress(running.length, running.length + waiting.size, `ready${of}`);
    };
    tell();
    const start = async (/** @type {PlannedNode} */ node) => {
      try {
        const one = await startNode(group, { node, members: known, signal });
        running.push(one);
        started(one);
      } catch (error) {
        if (!(error instanceof RemovedNode)) throw error;
        await forget(node);
      }
      waiting.delete(node.id);
      tell();
    };
    await Promise.all(known.map(start));
    if (running.length === 0) throw new Failure('No node is left that could be started.');
    return { result: undefined, detail: known.length === 1 ? (running[0]?.url ?? '') : '' };
  });
  for (const node of group.nodes.filter(({ isNew }) => isNew)) {
    const others = running.filter(({ service }) => service.isRunning());
    const members = others.map((other) => other.node);
    const one = await step(`Starting ${node.id}, which joins the quorum`, async ({ update }) => {
      update('being let in');
      await recordNodes(group.data, [node]);
      const peerAddress = peerOf(group, node);
      await letIn({
        endpoint: await coordinationApi(others[0]),
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
 * @returns {Promise<RunningNode>} rejects with `RemovedNode` where the quorum knows it no more
 */
export async function startNode(group, { node, members, signal }) {
  const { id, folder, ports } = node;
  const others = members.filter((other) => other.id !== id);
  const joins = folder !== group.data.path && others.length > 0;
  /** @type {Service | undefined} */
  let spawned;
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
    onSpawn: (process) => {
      spawned = process;
      group.onSpawn(node, process);
    },
  }).catch((error) => {
    if (error instanceof Stopped || spawned === undefined || !wasRemoved(spawned)) throw error;
    throw new RemovedNode(error.message, { cause: error });
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
