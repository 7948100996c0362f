import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { seededRng } from '@pawl/kernel';
import type { Clock, Rng, Timer } from '@pawl/kernel';
import { RaftNode, askClusterId, lockFolder, openFsFolder, overTcp } from '@pawl/raft/node';
import type {
  ListenAddress,
  NewPlace,
  PeerAddress,
  PeerTls,
  RaftSettings,
  StorageFolder,
} from '@pawl/raft/node';
import { encodeCommand } from '../state/index.js';
import type { StateLimits } from '../state/index.js';
import { idOfAddress } from './member-number.js';
import { addressText, parseAddress } from './peer-address.js';
import { peerListNote } from './peer-list-note.js';
import { idToJoinUnder } from './place-by-address.js';
import { QuorumHost } from './quorum-host.js';
import type { OpenLog } from './quorum-host.js';
import { QuorumNode } from './quorum-node.js';
import type { QuorumSettings } from './quorum-settings.js';

/** How this node and the others find each other. */
export interface ClusterOptions {
  /** Where this node listens for the others. */
  readonly listen: ListenAddress;
  /** `host:port` where the others reach it; left out: where it listens. */
  readonly advertise?: string;
  readonly tls?: PeerTls;
  /**
   * The others: with this node the founders of a new cluster, for which all must give the same list;
   * or members that run, of the cluster that this node joins. Where the folder was used already, only
   * those count of which nothing is recorded.
   */
  readonly peers: readonly PeerAddress[];
  readonly join?: boolean;
  /** `peers` was given for this start: how it differs from what the folder holds becomes a note. */
  readonly peersGiven?: boolean;
}

export interface QuorumOptions {
  /** The folder that this process takes for itself; made if it is missing. */
  readonly dataDir: string;
  readonly nodeId: string;
  /** What people call the node; left out: its id. */
  readonly name?: string;
  /** `host:port` each, where clients reach this node; see also {@link QuorumNode.announce}. */
  readonly clientAddresses?: readonly string[];
  /** Left out: this node is alone, and cannot be otherwise. */
  readonly cluster?: ClusterOptions;
  /**
   * Makes this node the only member of its cluster, with all that it holds: for when the majority is
   * lost for good. The other members must never come back with what they held.
   */
  readonly forceNewCluster?: boolean;
  /** Left out: the cluster that the folder belongs to; if it is empty, the founders', or a new one. */
  readonly clusterId?: string;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly limits?: Partial<StateLimits>;
  readonly raft?: Partial<RaftSettings>;
  readonly settings?: Partial<QuorumSettings>;
  /** Called once if the node stops by itself, for good: its disk failed, or it was removed. */
  readonly onFailure?: (error: Error) => void;
  /** One line for people; may come often. */
  readonly onProblem?: (text: string) => void;
}

/** A node that joins asks so long which cluster it is to join. */
const JOIN_MS = 30_000;

/**
 * Opens a node of the quorum: takes the folder's lock, recovers the log and takes part. Resolves
 * before anybody leads, but for a node that votes alone: that leads by then. Rejects, with a sentence
 * for people, when the folder is in use, damaged, or not this node's, when it cannot listen, and when
 * it is to join and no member says which cluster that is.
 */
export async function openQuorum(options: QuorumOptions): Promise<QuorumNode> {
  const folder = await openFsFolder(options.dataDir);
  const lock = await lockFolder(options.dataDir);
  try {
    return await openQuorumOn(folder, options, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The same on a folder that the caller has locked; `closed` is called when the node is closed. */
export async function openQuorumOn(
  folder: StorageFolder,
  options: Omit<QuorumOptions, 'dataDir'>,
  closed?: () => Promise<void>,
): Promise<QuorumNode> {
  const { clock, timer, nodeId, name = nodeId, clientAddresses = [], cluster } = options;
  const { limits, settings, onFailure, onProblem } = options;
  let notes: readonly string[] = [];
  let listening: string | null = null;
  const openLog: OpenLog = async (machine, events) => {
    const node = await RaftNode.open({ ...logOptions(options), folder, machine, events });
    notes = [...node.notes, ...peerNotes(node, folder, options)];
    listening = node.peerAddress === null ? null : addressText(node.peerAddress);
    return node;
  };
  const details = () => {
    const peerAddress = cluster?.advertise ?? listening;
    return { name, clientAddresses, ...(peerAddress === null ? {} : { peerAddress }) };
  };
  const host = await QuorumHost.open(openLog, {
    clock,
    timer,
    newId: () => randomBytes(8).readBigInt64BE(),
    details,
    startList: new Map(cluster?.peers.map((peer) => [peer.id, addressText(peer)])),
    ...(limits === undefined ? {} : { limits }),
    ...(settings === undefined ? {} : { settings }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(onProblem === undefined ? {} : { onProblem }),
  });
  await host.ready();
  const peerAddress: string | null = listening;
  return new QuorumNode(host, { timer, notes, peerAddress, ...(closed ? { closed } : {}) });
}

/** How the list of peers that was given differs from what the node's folder held. */
function peerNotes(
  node: RaftNode,
  { path }: StorageFolder,
  options: Omit<QuorumOptions, 'dataDir'>,
): string[] {
  const { cluster, forceNewCluster = false } = options;
  if (cluster?.peersGiven !== true || forceNewCluster) return [];
  const { join = false, peers } = cluster;
  const founders = foundersOf(options);
  const note = peerListNote(node, path, {
    ids: (join ? peers : founders).map(({ id }) => id),
    join,
    clusterId: join || peers.length === 0 ? null : foundingId(founders),
  });
  return note === null ? [] : [note];
}

function logOptions(options: Omit<QuorumOptions, 'dataDir'>) {
  const { nodeId, clock, timer, cluster, clusterId = null, raft } = options;
  const { forceNewCluster = false } = options;
  const ownAddress = addressToJoinAt(options);
  const rng = seededRng(randomInt(2 ** 32));
  const command = encodeCommand({ kind: 'member-reset' });
  return {
    nodeId,
    clusterId,
    founders: cluster?.join === true ? null : foundersOf(options).map(({ id }) => id),
    ...(ownAddress === null ? {} : { otherId: idOfAddress(ownAddress) }),
    newPlace: () => newPlace(options),
    newId: randomUUID,
    clock,
    timer,
    rng,
    ...(raft === undefined ? {} : { settings: raft }),
    ...(cluster === undefined ? {} : { transport: transportOf(cluster, timer, rng) }),
    ...(forceNewCluster ? { forceAlone: command } : {}),
  };
}

function transportOf({ listen, tls }: ClusterOptions, timer: Timer, rng: Rng) {
  return overTcp({ listen, peers: [], timer, rng, ...(tls === undefined ? {} : { tls }) });
}

/** This node and its peers, by id. */
function foundersOf({ nodeId, cluster }: Omit<QuorumOptions, 'dataDir'>): PeerAddress[] {
  if (cluster === undefined) return [{ id: nodeId, host: '', port: 0 }];
  const own = cluster.advertise === undefined ? cluster.listen : parseAddress(cluster.advertise);
  return [{ id: nodeId, ...own }, ...cluster.peers].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Founders that were given the same list agree on the id without having to speak to each other. */
async function newPlace(options: Omit<QuorumOptions, 'dataDir'>): Promise<NewPlace> {
  const { nodeId, timer, cluster } = options;
  if (cluster === undefined || cluster.peers.length === 0) return { clusterId: randomUUID() };
  if (cluster.join !== true) return { clusterId: foundingId(foundersOf(options)) };
  const { peers, tls } = cluster;
  const asking = { nodeId, peers, timer, ...(tls === undefined ? {} : { tls }) };
  const clusterId = await askClusterId({ ...asking, deadlineMs: JOIN_MS });
  const peerAddress = addressToJoinAt(options);
  if (peerAddress === null) return { clusterId };
  return { clusterId, nodeId: await idToJoinUnder({ ...asking, peerAddress, clusterId }) };
}

/** Where the members are told to find this node; null: that is not known before it listens. */
function addressToJoinAt({ cluster }: Omit<QuorumOptions, 'dataDir'>): string | null {
  if (cluster?.advertise !== undefined) return cluster.advertise;
  return cluster === undefined || cluster.listen.port === 0 ? null : addressText(cluster.listen);
}

function foundingId(founders: readonly PeerAddress[]): string {
  const list = founders.map((peer) => `${peer.id}=${addressText(peer)}`);
  return createHash('sha256').update(list.join(',')).digest('hex').slice(0, 32);
}
