import { SimulatedFolder } from '@pawl/raft/testing';
import type { CoordinationNode, WatchHandle, WatchSink } from '../coordination.port.js';
import type { WatchRequest } from '../metadata-store.port.js';
import { openQuorumOn } from '../quorum/open-quorum.js';
import type { QuorumOptions } from '../quorum/open-quorum.js';
import type { QuorumNode } from '../quorum/quorum-node.js';
import { systemTime } from '../testing/system-time.js';

/** What a test has in its hand of a node that serves the API. */
export interface NodeHolds {
  /** Awaited by each call: throws, or takes its time. It is told whose call, and of what kind. */
  before: (call: string) => Promise<void>;
  /** The node says that nobody leads. */
  leaderless: boolean;
  /** Watches that are open. */
  readonly watches: ReadonlySet<WatchHandle>;
}

export type TestNode = QuorumNode & NodeHolds;

/** Calls that a test may hold, and what their options say. */
const HELD: ReadonlySet<PropertyKey> = new Set<keyof CoordinationNode>([
  'range',
  'txn',
  'grantLease',
  'keepAlive',
  'revokeLease',
  'compact',
  'leaseTime',
  'leases',
  'members',
  'defragment',
]);

/** A node that is alone, in memory, with a peer address. It leads. */
export async function openTestNode(
  options: Partial<Omit<QuorumOptions, 'dataDir'>> = {},
): Promise<TestNode> {
  const node = await openQuorumOn(SimulatedFolder.empty(), {
    nodeId: 'n1',
    clientAddresses: ['127.0.0.1:7479'],
    cluster: { listen: { host: '127.0.0.1', port: 0 }, peers: [] },
    clock: systemTime,
    timer: systemTime,
    ...options,
  });
  return holdable(node);
}

/** The node itself, but for what the test holds. */
function holdable(node: QuorumNode): TestNode {
  const watches = new Set<WatchHandle>();
  const holds: Record<string, unknown> & NodeHolds = {
    before: () => Promise.resolve(),
    leaderless: false,
    watches,
    nodeStatus: () => ({ ...node.nodeStatus(), ...(holds.leaderless ? { leader: null } : {}) }),
    observe: (range: WatchRequest, sink: WatchSink) => counted(node.observe(range, sink), watches),
  };
  return new Proxy(node, {
    get: (_, name) => {
      if (name in holds) return holds[name as string];
      const member: unknown = Reflect.get(node, name);
      if (typeof member !== 'function') return member;
      if (!HELD.has(name)) return member.bind(node) as unknown;
      return async (...parameters: unknown[]): Promise<unknown> => {
        await holds.before(callText(String(name), parameters));
        return member.apply(node, parameters) as unknown;
      };
    },
    set: (_, name, value) => Reflect.set(holds, name, value),
  }) as TestNode;
}

function counted(handle: WatchHandle, open: Set<WatchHandle>): WatchHandle {
  const own: WatchHandle = {
    get next() {
      return handle.next;
    },
    resume: () => handle.resume(),
    close: () => {
      open.delete(own);
      handle.close();
    },
  };
  open.add(own);
  return own;
}

function callText(name: string, parameters: readonly unknown[]): string {
  const options = parameters.at(-1) as { serializable?: boolean; origin?: string } | undefined;
  if (options?.serializable === true) return `serializable ${name}`;
  return options?.origin === undefined ? name : `${options.origin} ${name}`;
}
