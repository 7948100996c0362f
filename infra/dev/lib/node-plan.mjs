import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cliPrefix } from './advice.mjs';
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
  const recorded = await readPeerPorts(data);
  const known = Object.keys(recorded);
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
 * @param {{ data: DataFolder, settings: LauncherSettings, recorded: Record<string, number> }} of
 * @returns {Promise<PlannedNode>}
 */
async function planNode(id, { data, settings, recorded }) {
  const steps = Number(id.slice('node-'.length)) - 1;
  const portOf = (/** @type {string} */ setting) =>
    settings.quorum.find((one) => one.setting === setting)?.port ?? 0;
  const folder = id === FIRST ? data.path : join(data.nodes, id);
  return {
    id,
    folder,
    isRecorded: recorded[id] !== undefined,
    isNew: id !== FIRST && !existsSync(join(folder, 'metadata')),
    ports: {
      http: further(settings.http.port, steps * HTTP_STEP),
      peer:
        recorded[id] ||
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

/** The node has left the quorum for good: what its member kept is of no more use. */
export async function forgetNode(
  /** @type {DataFolder} */ data,
  /** @type {PlannedNode} */ { id, folder },
) {
  const { [id]: _, ...others } = await readPeerPorts(data);
  await writePeerPorts(data, others);
  await rm(join(folder, 'metadata'), { recursive: true, force: true });
}

/** To be called before a node starts for the first time. */
export function recordNodes(
  /** @type {DataFolder} */ data,
  /** @type {readonly PlannedNode[]} */ nodes,
) {
  return writePeerPorts(data, Object.fromEntries(nodes.map(({ id, ports }) => [id, ports.peer])));
}

/**
 * @param {DataFolder} data
 * @returns {Promise<Record<string, number>>} by node id, the first one first
 */
async function readPeerPorts({ nodesRecord }) {
  if (!existsSync(nodesRecord)) return {};
  const ports = (await readJson(nodesRecord))?.peerPorts;
  const isSound =
    typeof ports === 'object' &&
    ports !== null &&
    Object.entries(ports).every(
      ([id, port]) => NODE.test(id) && Number.isInteger(port) && port > 0,
    );
  if (isSound) return ports;
  throw new Failure(`${nodesRecord} does not say which nodes there are: restore it from a copy.`);
}

/** @param {DataFolder} data @param {Record<string, number>} peerPorts */
async function writePeerPorts({ nodes, nodesRecord }, peerPorts) {
  await mkdir(nodes, { recursive: true });
  await replaceFile(nodesRecord, `${JSON.stringify({ peerPorts }, null, 2)}\n`);
}
