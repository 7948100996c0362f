import type {
  LeaseResult,
  MetadataStore,
  RangeResult,
  Refused,
  TxnResult,
} from './metadata-store.port.js';
import type {
  Alarm,
  KeyRange,
  LeaseId,
  PinnedSteps,
  RangeRequest,
  Revision,
  RevisionEvents,
  Txn,
  HashKv,
} from './state/index.js';

/** A member of the quorum; one that never started has no `name` and no `clientAddresses`. */
export interface QuorumMember {
  /** The node id, as `PAWL_NODE_ID` gives it. */
  readonly id: string;
  /** What etcd's clients call the id: 64 bits without a sign. */
  readonly number: bigint;
  readonly name: string;
  /** `host:port` each. */
  readonly peerAddress: string;
  readonly clientAddresses: readonly string[];
  /** Receives the log and does not vote. */
  readonly learner: boolean;
}

/** What this node knows without asking anybody. */
export interface NodeHead {
  readonly cluster: bigint;
  readonly member: bigint;
  readonly revision: Revision;
  readonly term: number;
}

export interface NodeStatus extends NodeHead {
  /** Null while nobody leads. */
  readonly leader: bigint | null;
  readonly learner: boolean;
  readonly raftIndex: number;
  readonly appliedIndex: number;
  /** Of what is kept, and of it what can still be read. */
  readonly sizeBytes: number;
  readonly sizeInUseBytes: number;
  readonly alarms: readonly Alarm[];
}

/** Takes what one watch is told, while it keeps up. */
export interface WatchSink {
  /**
   * All that one revision changed in the range; called in the order of revisions, each once, none
   * left out. Answers false when it takes no more for now, this revision included: the watch keeps
   * only its place and goes on from this revision after {@link WatchHandle.resume}.
   */
  events(changes: RevisionEvents): boolean;
  /** What comes next was compacted away; the watch has ended. */
  compacted(compactRevision: Revision): void;
  /** The store went away; the watch has ended. */
  failed(error: Error): void;
}

export interface WatchHandle {
  /** The next revision that would be told: everything before it was. */
  readonly next: Revision;
  /** The sink takes events again. */
  resume(): void;
  /** The sink is not called any more. */
  close(): void;
}

export interface ReadOptions {
  /** Answer from what this node has applied, without asking the quorum: may be old. */
  readonly serializable?: boolean;
}

export type MemberRefusal =
  | 'member-not-found'
  | 'member-exists'
  | 'address-in-use'
  | 'not-a-learner'
  | 'not-caught-up'
  | 'last-voter'
  | 'too-many-learners'
  /** Another change of the membership is under way. */
  | 'change-under-way'
  | 'unhealthy';

export type MembersResult =
  | {
      readonly ok: true;
      readonly members: readonly QuorumMember[];
      readonly changed?: QuorumMember;
    }
  | { readonly ok: false; readonly refusal: MemberRefusal };

export interface LeaseTime {
  readonly id: LeaseId;
  readonly grantedMs: number;
  readonly remainingMs: number;
  readonly keys: readonly Uint8Array[];
}

/**
 * All that a node of the quorum can do, for the coordination API and the `pawl` command. Calls
 * reject with `MetadataUnavailableError` when no quorum answers within their deadline, which every
 * call has; its `done` says whether the outcome is known.
 */
export interface CoordinationNode extends MetadataStore {
  head(): NodeHead;
  nodeStatus(): NodeStatus;
  range(request: RangeRequest, options?: ReadOptions): Promise<RangeResult>;
  /** `origin` says whose quota counts. Serializable only for a transaction that writes nothing. */
  txn(txn: Txn, options?: ReadOptions & { readonly origin?: 'own' | 'user' }): Promise<TxnResult>;
  /** `origin` as with `txn`; ids that are chosen here are positive for users, negative for our own. */
  grantLease(
    ttlMs: number,
    id?: LeaseId,
    options?: { readonly origin?: 'own' | 'user' },
  ): Promise<LeaseResult>;
  /** Told in pushes; throws `MetadataUnavailableError` when there are too many watches. */
  observe(range: KeyRange & { readonly fromRevision?: Revision }, sink: WatchSink): WatchHandle;
  /** Null: no such lease. Asked of the leader, who counts the time. Its keys only where asked for. */
  leaseTime(id: LeaseId, options?: { readonly keys?: boolean }): Promise<LeaseTime | null>;
  leases(): Promise<readonly LeaseId[]>;
  /** Linearizable unless told otherwise. */
  members(options?: ReadOptions): Promise<readonly QuorumMember[]>;
  /** As a learner first; without `learner` it becomes a voter as soon as it has caught up. */
  addMember(member: {
    /** Left out: made from the address. */
    readonly id?: string;
    readonly peerAddress: string;
    readonly learner?: boolean;
  }): Promise<MembersResult>;
  removeMember(member: bigint): Promise<MembersResult>;
  updateMember(member: bigint, peerAddress: string): Promise<MembersResult>;
  promoteMember(member: bigint): Promise<MembersResult>;
  /** Resolves once `member` leads; `refused`: it cannot. */
  transferLeadership(member: bigint): Promise<'done' | 'not-leader' | 'refused'>;
  hashKv(revision: Revision): Promise<HashKv | Refused>;
  /** The whole state of this moment in pieces; give it back by `return()` if it is given up. */
  snapshot(): PinnedSteps<Uint8Array, void>;
  alarms(): Promise<readonly Alarm[]>;
  setAlarm(
    action: 'raise' | 'clear',
    alarm: Alarm,
  ): Promise<{ readonly ok: true; readonly revision: Revision } | Refused>;
  /** Gives compacted memory back on this node now. */
  defragment(): Promise<void>;
}
