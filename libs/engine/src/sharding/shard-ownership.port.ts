import type { Fence } from './fence.js';

/** What the ownership calls when this node gains or loses a shard. One call at a time per shard. */
export interface ShardHost {
  /**
   * This node holds the claim. Resolves once the fence is raised and the shard is loaded and served;
   * rejects when it cannot be (the ownership then gives the claim back and tries again).
   */
  claimed(fence: Fence): Promise<void>;
  /** The claim is gone: nothing more is served for it once this resolves. */
  lost(fence: Fence): Promise<void>;
}

/** One shard in the shard map. */
export interface ShardClaim {
  readonly shard: number;
  /** Node id of the owner, `null` while nobody claims it. */
  readonly owner: string | null;
  readonly token: bigint | null;
}

/** What the quorum says about itself and the control-plane nodes. */
export interface ClusterStatus {
  readonly nodes: readonly { readonly id: string; readonly state: string }[];
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
  /** Hands everything back: claims, member record, lease. */
  stop(): Promise<void>;
  map(): readonly ShardClaim[];
  status(): Promise<ClusterStatus>;
  /** Tells that a shard was refused by the fence: its claim is checked at once. */
  recheck(shard: number): void;
}
