import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { seededRng } from '@pawl/kernel';
import type { Clock, Timer } from '@pawl/kernel';
import { RaftNode, lockFolder, openFsFolder } from '@pawl/raft/node';
import type { RaftSettings, StorageFolder } from '@pawl/raft/node';
import type { StateLimits } from '../state/index.js';
import { QuorumHost } from './quorum-host.js';
import type { OpenLog } from './quorum-host.js';
import { QuorumNode } from './quorum-node.js';
import type { QuorumSettings } from './quorum-settings.js';
import type { ReplicatedLog } from './replicated-log.port.js';

export interface QuorumOptions {
  /** The folder that this process takes for itself; made if it is missing. */
  readonly dataDir: string;
  readonly nodeId: string;
  /** What people call the node; left out: its id. */
  readonly name?: string;
  /** `host:port` each, where clients reach this node. */
  readonly clientAddresses?: readonly string[];
  /** Left out: the cluster that the folder belongs to, a new one if it is empty. */
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

/**
 * Opens a node of the quorum: takes the folder's lock, recovers the log and takes part. Rejects, with
 * a sentence for people, when the folder is in use, damaged, or not this node's.
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
  const { clock, timer, nodeId, name = nodeId, clientAddresses = [] } = options;
  const { limits, settings, onFailure, onProblem } = options;
  let notes: readonly string[] = [];
  const openLog: OpenLog = async (machine, events): Promise<ReplicatedLog> => {
    const node = await RaftNode.open({
      folder,
      nodeId,
      clusterId: options.clusterId ?? null,
      founders: [nodeId],
      newId: randomUUID,
      timer,
      rng: seededRng(randomInt(2 ** 32)),
      ...(options.raft === undefined ? {} : { settings: options.raft }),
      machine,
      events,
    });
    notes = node.notes;
    return alone(node);
  };
  const host = await QuorumHost.open(openLog, {
    clock,
    timer,
    newId: () => randomBytes(8).readBigInt64BE(),
    details: { name, clientAddresses },
    startList: new Map(),
    ...(limits === undefined ? {} : { limits }),
    ...(settings === undefined ? {} : { settings }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(onProblem === undefined ? {} : { onProblem }),
  });
  await host.ready();
  return new QuorumNode(host, { timer, notes, ...(closed === undefined ? {} : { closed }) });
}

/** A log that has nobody to speak to. */
function alone(node: RaftNode): ReplicatedLog {
  return Object.assign(node, {
    setPeers: () => undefined,
    request: () => Promise.reject(new Error('this node is alone')),
  });
}
