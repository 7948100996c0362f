import type { Fence } from './fence.js';
import type { ShardMark } from './shard-mark.js';

/** What the ownership calls when this node gains or loses a shard. One call at a time per shard. */
export interface ShardHost {
  /**
   * This node holds the claim. Resolves once the fence is raised and the shard is loaded and served;
   * rejects when it cannot be (the ownership then gives the claim back and tries again). `remembered`
   * is what the quorum remembers of the shard, if anything: a PostgreSQL that is behind it is served
   * for reading only.
   */
  claimed(fence: Fence, remembered?: ShardMark | null): Promise<void>;
  /** The claim is gone: nothing more is served for it once this resolves. */
  lost(fence: Fence): Promise<void>;
  /**
   * How far the shard has come under this fence, for the quorum to remember; also after it was lost, as
   * long as nobody claims it here anew. `undefined` when that is not known, or not to be relied on.
   */
  mark?(fence: Fence): ShardMark | undefined;
}

/** One shard in the shard map. */
export interface ShardClaim {
  readonly shard: number;
  /** Node id of the owner, `null` while nobody claims it. */
  readonly owner: string | null;
  readonly token: bigint | null;
  /** Whether the owner has said that it serves the shard under this token. */
  readonly serving: boolean;
  /** When it began to, RFC 3339 in UTC by the owner's clock; `null` until then. */
  readonly since: string | null;
}

/**
 * `ready`: owns shards; `settling`: ready too, but not for long enough yet to be given shards that
 * others serve; `unready`: PostgreSQL or NATS does not answer it; `draining`: it is about to stop.
 */
export type NodeState = 'ready' | 'unready' | 'draining' | 'settling';

/** A control-plane node as the one that is asked sees it. */
export interface ClusterNode {
  readonly id: string;
  readonly state: NodeState;
  readonly address?: string;
  /** Since when it says so, RFC 3339 in UTC by its own clock. */
  readonly since?: string;
  /** What keeps it from being ready, in a few words. */
  readonly problem?: string;
}

/** What the quorum says about itself and the control-plane nodes. */
export interface ClusterStatus {
  readonly nodes: readonly ClusterNode[];
  readonly quorum: {
    readonly members: readonly string[];
    readonly leader: string | null;
    readonly term: number;
    readonly revision: number;
  };
}

/** Claims shards for this node in the metadata quorum and keeps them. */
export interface ShardOwnership {
  readonly nodeId: string;
  /** Random, of this process: two processes under one node id are two owners. */
  readonly incarnation: string;
  /** Resolves once the node is a member and has tried every shard once. */
  start(host: ShardHost): Promise<void>;
  /**
   * Before a planned stop: tells the others, then hands the shards over, two at a time, each served by
   * its next owner before the next goes. Resolves when nothing is left here, when nobody is ready to
   * take it, or after a bound. From then on the node claims nothing.
   */
  drain(): Promise<void>;
  /** Drains, then hands everything back: claims, member record, lease. */
  stop(): Promise<void>;
  /**
   * What keeps PostgreSQL from answering this node, in a few words; null: it answers. When it lasts,
   * the node says that it is not ready, and its shards go to members that are, if there are any.
   */
  setTruth(problem: string | null): void;
  /** The same of NATS. */
  setDistribution(problem: string | null): void;
  /** What this node knows of every shard, by its watch of the store: it may be a little old. */
  map(): readonly ShardClaim[];
  /** Calls back after the map may have changed; the listener must not throw. */
  onChange(listener: () => void): { stop(): void };
  /** Asks the store itself for one shard's claim, past the watch; rejects when it does not answer. */
  lookUp(shard: number): Promise<ShardClaim>;
  /** The highest generation that the store remembers of any shard; rejects when it does not answer. */
  rememberedGeneration(): Promise<number>;
  /**
   * Whether somebody else can be expected to take the shard if PostgreSQL does not answer its owner: a
   * ready member, unless PostgreSQL has not answered this node either for a while; that of the owner
   * does not count.
   */
  mayMove(shard: number): boolean;
  status(): Promise<ClusterStatus>;
  /** Tells that a shard was refused by the fence: its claim is checked at once. */
  recheck(shard: number): void;
}
