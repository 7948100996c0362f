import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cliPrefix } from './advice.mjs';
import { endpointsOf } from './control-plane.mjs';
import { Failure } from './failure.mjs';
import { readJson, replaceFile } from './files.mjs';
import { freePort } from './ports.mjs';

/**
 * @typedef {import('./data-folder.mjs').DataFolder} DataFolder
 * @typedef {import('./settings.mjs').LauncherSettings} LauncherSettings
 *
 * @typedef {object} PlannedNode one control plane of several
 * @property {string} id `node-1` and so on, also the name of its process
 * @property {string} folder of its own data
 * @property {boolean} isNew its member has yet to be let into the quorum
 * @property {boolean} isRecorded its port of the quorum is, and stays
 * @property {{ http: number, peer: number, etcd: number }} ports 0: a free one; never for `peer`
 *
 * @typedef {object} NodesRecord
 * @property {Record<string, number>} peerPorts by node id, the first one first
 * @property {readonly string[]} removed from the quorum; what their members kept may still be there
 */

const FIRST = 'node-1';
const NODE = /^node-\d{1,3}$/;
/** From one node to the next: ports of REST, and of the quorum, whose two presets are neighbours. */
const HTTP_STEP = 1;
const QUORUM_STEP = 10;
const HIGHEST_PORT = 65_535;

/**
 * Which control planes there are to be, at least two; `undefined`: a single one as ever. Which nodes
 * a folder has, and where their members talk, is recorded in it: a member cannot find the others
 * again when all have moved.
 *
 * The first node founds the quorum alone, or did so when it was the only one; each further one joins.
 *
 * @param {DataFolder} data
 * @param {LauncherSettings} settings
 * @returns {Promise<readonly PlannedNode[] | undefined>}
 */
export async function planNodes(data, settings) {
  const recorded = await readNodes(data);
  const known = Object.keys(recorded.peerPorts);
  const count = settings.nodes ?? Math.max(1, known.length);
  if (count < known.length) throw new Failure(howToShrink(data, known, count));
  if (count === 1 && known.every((id) => id === FIRST)) return undefined;
  const [singular] = settings.singular;
  if (singular !== undefined) {
    throw new Failure(
      `${singular} is not for several nodes, which npm start puts together itself: unset it` +
        `${known.length > 0 ? ` (${data.path} has ${known.length} nodes)` : ''}.`,
    );
  }
  const ids = known.length > 0 ? [...known] : [FIRST];
  for (let number = 2; ids.length < count; number += 1) {
    if (!ids.includes(`node-${number}`)) ids.push(`node-${number}`);
  }
  const nodes = [];
  for (const id of ids) nodes.push(await planNode(id, { data, settings, recorded }));
  return nodes;
}

/**
 * @param {string} id
 * @param {{ data: DataFolder, settings: LauncherSettings, recorded: NodesRecord }} of
 * @returns {Promise<PlannedNode>}
 */
async function planNode(id, { data, settings, recorded: { peerPorts, removed } }) {
  const steps = Number(id.slice('node-'.length)) - 1;
  const portOf = (/** @type {string} */ setting) =>
    settings.quorum.find((one) => one.setting === setting)?.port ?? 0;
  const folder = folderOf(data, id);
  return {
    id,
    folder,
    isRecorded: peerPorts[id] !== undefined,
    isNew: id !== FIRST && (removed.includes(id) || !existsSync(metadataOf(folder))),
    ports: {
      http: further(settings.http.port, steps * HTTP_STEP),
      peer:
        peerPorts[id] ||
        further(portOf('PAWL_PEER_PORT'), steps * QUORUM_STEP) ||
        (await freePort()),
      etcd: further(portOf('PAWL_ETCD_PORT'), steps * QUORUM_STEP),
    },
  };
}

/** @param {number} port @param {number} steps */
function further(port, steps) {
  if (port === 0 || port + steps <= HIGHEST_PORT) return port === 0 ? 0 : port + steps;
  throw new Failure(
    `Port ${port} leaves no room for those of further nodes: set PAWL_HTTP_PORT, PAWL_PEER_PORT ` +
      'and PAWL_ETCD_PORT to lower ones.',
  );
}

/** @param {DataFolder} data @param {readonly string[]} known @param {number} count */
function howToShrink(data, known, count) {
  const cli = `${cliPrefix(data)}npx --no-install pawl`;
  const surplus = known.slice(count - known.length).reverse();
  return (
    `${data.path} has ${known.length} nodes (${known.join(', ')}), whose quorum cannot do without ` +
    `the others: start it without --nodes, take ${surplus.length === 1 ? 'one' : 'them'} out ` +
    `while all run (${surplus.map((id) => `${cli} cluster remove ${id}`).join(', then ')}), ` +
    'and start again.'
  );
}

/** @param {DataFolder} data @param {string} id */
function folderOf(data, id) {
  return id === FIRST ? data.path : join(data.nodes, id);
}

/** @param {string} folder of a node */
function metadataOf(folder) {
  return join(folder, 'metadata');
}

/**
 * The node has left the quorum for good: what its member kept is of no more use. That it left is
 * recorded first: where this is interrupted, `finishForgetting` goes on with it.
 *
 * @param {DataFolder} data @param {PlannedNode} node
 */
export function forgetNode(data, { id }) {
  return inTurn(async () => {
    await changeNodes(data, ({ peerPorts: { [id]: _, ...peerPorts }, removed }) => ({
      peerPorts,
      removed: [...new Set([...removed, id])],
    }));
    await forgetRemoved(data);
  });
}

/**
 * Goes on where `forgetNode` was interrupted. To be called while no node runs.
 *
 * @param {DataFolder} data
 */
export function finishForgetting(data) {
  return inTurn(() => forgetRemoved(data));
}

/** @param {DataFolder} data */
async function forgetRemoved(data) {
  for (const id of (await readNodes(data)).removed) {
    const folder = folderOf(data, id);
    await rm(metadataOf(folder), { recursive: true, force: true });
    await rm(endpointsOf(folder), { force: true });
    await changeNodes(data, ({ peerPorts, removed }) => ({
      peerPorts,
      removed: removed.filter((other) => other !== id),
    }));
  }
}

/**
 * Adds nodes to those that the folder has. To be called before a node starts for the first time.
 *
 * @param {DataFolder} data @param {readonly PlannedNode[]} nodes
 */
export function recordNodes(data, nodes) {
  const added = Object.fromEntries(nodes.map(({ id, ports }) => [id, ports.peer]));
  return inTurn(() =>
    changeNodes(data, ({ peerPorts, removed }) => ({
      peerPorts: { ...peerPorts, ...added },
      removed,
    })),
  );
}

/** @param {DataFolder} data @returns {Promise<NodesRecord>} */
async function readNodes({ nodesRecord }) {
  if (!existsSync(nodesRecord)) return { peerPorts: {}, removed: [] };
  const { peerPorts, removed = [] } = (await readJson(nodesRecord)) ?? {};
  const isSound =
    typeof peerPorts === 'object' &&
    peerPorts !== null &&
    Object.entries(peerPorts).every(
      ([id, port]) => NODE.test(id) && Number.isInteger(port) && port > 0,
    ) &&
    Array.isArray(removed) &&
    removed.every((id) => typeof id === 'string' && NODE.test(id));
  if (isSound) return { peerPorts, removed };
  throw new Failure(`${nodesRecord} does not say which nodes there are: restore it from a copy.`);
}

/** @param {DataFolder} data @param {(record: NodesRecord) => NodesRecord} change */
async function changeNodes(data, change) {
  const { peerPorts, removed } = change(await readNodes(data));
  const record = { peerPorts, ...(removed.length > 0 && { removed }) };
  await mkdir(data.nodes, { recursive: true });
  await replaceFile(data.nodesRecord, `${JSON.stringify(record, null, 2)}\n`);
}

let turn = Promise.resolve();

/**
 * One change after the other: two nodes can be forgotten at the same time.
 *
 * @param {() => Promise<void>} work
 * @returns {Promise<void>}
 */
function inTurn(work) {
  const done = turn.then(work);
  turn = done.catch(() => undefined);
  return done;
}
