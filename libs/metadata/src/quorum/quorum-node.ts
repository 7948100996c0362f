import { isVoter, members as membersOf } from '@pawl/raft/core';
import type {
  CoordinationNode,
  LeaseTime,
  MembersResult,
  NodeHead,
  NodeStatus,
  QuorumMember,
  ReadOptions,
  WatchHandle,
  WatchSink,
} from '../coordination.port.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type {
  LeaseResult,
  MetadataWatch,
  RangeRequest,
  RangeResult,
  Refused,
  StoreStatus,
  TxnResult,
  WatchRequest,
} from '../metadata-store.port.js';
import { NO_LEASE, checkCommand, isReadOnly } from '../state/index.js';
import type {
  Alarm,
  CommandBody,
  CommandResult,
  HashKv,
  KeyRange,
  LeaseId,
  PinnedSteps,
  Refusal,
  Revision,
  Txn,
} from '../state/index.js';
import { numberOf } from './member-number.js';
import type { OwnDetails } from './member-directory.js';
import type { QuorumHost } from './quorum-host.js';

export interface QuorumNodeOptions {
  readonly timer: { after(delayMs: number, callback: () => void): unknown };
  /** What recovery found and set right, one sentence each. */
  readonly notes?: readonly string[];
  /** Where the other members connect; left out: nowhere. */
  readonly peerAddress?: string | null;
  /** Called when the node is closed, after all else. */
  readonly closed?: () => Promise<void>;
}

type Done = { readonly ok: true; readonly revision: Revision };

/** A node of the quorum: the metadata store, and all that its coordination API needs. */
export class QuorumNode implements CoordinationNode {
  readonly #host: QuorumHost;
  readonly #options: QuorumNodeOptions;
  /** What etcd's clients call the cluster and this node. */
  readonly #numbers: Pick<NodeHead, 'cluster' | 'member'>;

  constructor(host: QuorumHost, options: QuorumNodeOptions) {
    this.#host = host;
    this.#options = options;
    const { clusterId, nodeId } = host.log.identity;
    this.#numbers = { cluster: numberOf(clusterId), member: numberOf(clusterId, nodeId) };
  }

  get nodeId(): string {
    return this.#host.log.identity.nodeId;
  }

  /** Random, made with the folder: tells it from any other folder of the same node id. */
  get folderId(): string {
    return this.#host.log.identity.folderId;
  }

  get clusterId(): string {
    return this.#host.log.identity.clusterId;
  }

  /** `host:port` where this node listens for the other members; null: nowhere. */
  get peerAddress(): string | null {
    return this.#options.peerAddress ?? null;
  }

  /** What recovery found and set right, one sentence each. */
  get notes(): readonly string[] {
    return this.#options.notes ?? [];
  }

  /** Changes what the members and clients are told of this node. */
  announce(details: Partial<OwnDetails>): void {
    this.#host.directory.announce(details);
  }

  head(): NodeHead {
    const { state, board } = this.#host;
    return { revision: state.revision, term: board.status.term, ...this.#numbers };
  }

  nodeStatus(): NodeStatus {
    const { state, log } = this.#host;
    const { leader, configuration, lastIndex, appliedIndex } = log.status();
    return {
      leader: leader === null ? null : numberOf(this.clusterId, leader),
      learner: !isVoter(configuration, this.nodeId),
      raftIndex: lastIndex,
      appliedIndex,
      sizeBytes: state.keptBytes,
      sizeInUseBytes: state.sizeBytes,
      alarms: state.alarms,
      ...this.head(),
    };
  }

  /** How many entries of the log each other member is behind this one; null where this one follows. */
  replication(): readonly { readonly id: string; readonly behind: number }[] | null {
    const { leader, lastIndex } = this.#host.log.status();
    if (leader !== this.nodeId) return null;
    return [...this.#host.log.progress()]
      .filter(([id]) => id !== this.nodeId)
      .map(([id, { match }]) => ({ id, behind: Math.max(0, lastIndex - match) }));
  }

  async status(): Promise<StoreStatus> {
    const { state, log } = this.#host;
    const { leader, term, configuration } = log.status();
    const { revision, compactRevision, sizeBytes } = state;
    const members = membersOf(configuration);
    return {
      clusterId: this.clusterId,
      members,
      leader,
      term,
      revision,
      compactRevision,
      sizeBytes,
    };
  }

  async txn(
    txn: Txn,
    { serializable = false, origin = 'own' }: ReadOptions & { origin?: 'own' | 'user' } = {},
  ): Promise<TxnResult> {
    if (isReadOnly(txn)) {
      await this.#readable(serializable);
      return asTxn(this.#host.state.readTxn(txn));
    }
    return asTxn(await this.#do({ kind: 'txn', origin, ...txn }, origin));
  }

  async range(
    request: RangeRequest,
    { serializable = false }: ReadOptions = {},
  ): Promise<RangeResult> {
    await this.#readable(serializable);
    const { state } = this.#host;
    const content = state.range(request);
    if ('refusal' in content) return this.#refuse(content.refusal);
    return { ok: true, revision: state.revision, ...content };
  }

  watch(request: WatchRequest): MetadataWatch {
    this.#checkOpen();
    return this.#host.ownWatches.watch(request);
  }

  observe(range: KeyRange & { readonly fromRevision?: Revision }, sink: WatchSink): WatchHandle {
    this.#checkOpen();
    return this.#host.userWatches.observe(range, sink);
  }

  async grantLease(
    ttlMs: number,
    id: LeaseId = NO_LEASE,
    { origin = 'own' }: { readonly origin?: 'own' | 'user' } = {},
  ): Promise<LeaseResult> {
    const result = await this.#do({ kind: 'lease-grant', id, ttlMs, origin }, origin);
    if (result.kind === 'refused') return refused(result);
    if (result.kind !== 'lease') throw unexpected(result);
    return { ok: true, id: result.id, ttlMs };
  }

  async keepAlive(id: LeaseId): Promise<LeaseResult> {
    this.#checkOpen();
    const ttlMs = await this.#host.renewals.renew(id);
    return ttlMs === null ? this.#refuse('lease-not-found') : { ok: true, id, ttlMs };
  }

  async revokeLease(id: LeaseId): Promise<Done | Refused> {
    return asDone(await this.#do({ kind: 'lease-revoke', id }, id < 0n ? 'own' : 'user'));
  }

  async leaseTime(
    id: LeaseId,
    { keys = false }: { readonly keys?: boolean } = {},
  ): Promise<LeaseTime | null> {
    this.#checkOpen();
    const { line, barrier, state } = this.#host;
    const { remainingMs } = await line.ask({ kind: 'lease-time', id }, 'no');
    await barrier.pass();
    const lease = state.lease(id);
    if (remainingMs === null || lease === null) return null;
    return { id, grantedMs: lease.ttlMs, remainingMs, keys: keys ? state.leaseKeys(id) : [] };
  }

  async leases(): Promise<readonly LeaseId[]> {
    await this.#readable(false);
    return this.#host.state.leases.map(({ id }) => id);
  }

  async compact(revision: Revision): Promise<Done | Refused> {
    return asDone(await this.#do({ kind: 'compact', revision }, 'user'));
  }

  async members({ serializable = false }: ReadOptions = {}): Promise<readonly QuorumMember[]> {
    await this.#readable(serializable);
    return this.#host.changes.list();
  }

  async addMember(member: {
    readonly id?: string;
    readonly peerAddress: string;
    readonly learner?: boolean;
  }): Promise<MembersResult> {
    this.#checkOpen();
    return this.#host.changes.add(member);
  }

  async removeMember(member: bigint): Promise<MembersResult> {
    await this.#readable(false);
    return this.#host.changes.remove(member);
  }

  async updateMember(member: bigint, peerAddress: string): Promise<MembersResult> {
    await this.#readable(false);
    return this.#host.changes.update(member, peerAddress);
  }

  async promoteMember(member: bigint): Promise<MembersResult> {
    await this.#readable(false);
    return this.#host.changes.promote(member);
  }

  async transferLeadership(member: bigint): Promise<'done' | 'not-leader' | 'refused'> {
    this.#checkOpen();
    const { log, board, changes, settings } = this.#host;
    if (log.status().role !== 'leader') return 'not-leader';
    const id = changes.list().find(({ number }) => number === member)?.id;
    if (id === undefined) return 'refused';
    if (id === this.nodeId) return 'done';
    if (!log.transfer(id)) return 'refused';
    const led = await board.wait(({ leader }) => leader === id, settings.callTimeoutMs);
    return led ? 'done' : 'refused';
  }

  async hashKv(revision: Revision): Promise<HashKv | Refused> {
    const { state } = this.#host;
    await this.#readable(revision <= state.revision);
    const steps = state.hashKvSteps(revision);
    if ('refusal' in steps) return this.#refuse(steps.refusal);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      await new Promise<void>((resolve) => this.#options.timer.after(0, resolve));
    }
  }

  snapshot(): PinnedSteps<Uint8Array, void> {
    this.#checkOpen();
    return this.#host.state.snapshotChunks();
  }

  async alarms(): Promise<readonly Alarm[]> {
    await this.#readable(false);
    return this.#host.state.alarms;
  }

  async setAlarm(action: 'raise' | 'clear', alarm: Alarm): Promise<Done | Refused> {
    return asDone(await this.#do({ kind: 'alarm', action, ...alarm }, 'own'));
  }

  async defragment(): Promise<void> {
    this.#checkOpen();
    await this.#host.scavenger.finish();
  }

  /** Ends watches and calls, hands leadership over, closes the files and gives the folder back. */
  async close(): Promise<void> {
    try {
      await this.#host.stop();
    } finally {
      await this.#options.closed?.();
    }
  }

  /** What is wrong in any state is refused without a place in the log. */
  async #do(command: CommandBody, origin: 'own' | 'user'): Promise<CommandResult> {
    const { limits, ownCalls, userCalls } = this.#host;
    const refusal = checkCommand(command, limits);
    if (refusal !== null) return { kind: 'refused', ...this.#refuse(refusal) };
    return (origin === 'user' ? userCalls : ownCalls).call(command);
  }

  async #readable(serializable: boolean): Promise<void> {
    this.#checkOpen();
    if (!serializable) await this.#host.barrier.pass();
  }

  #refuse(refusal: Refusal): Refused {
    return { ok: false, refusal, revision: this.#host.state.revision };
  }

  #checkOpen(): void {
    const { stopped } = this.#host;
    if (stopped !== null) throw new MetadataUnavailableError(stopped, 'no');
  }
}

function asTxn(result: CommandResult): TxnResult {
  if (result.kind === 'refused') return refused(result);
  if (result.kind !== 'txn') throw unexpected(result);
  const { revision, succeeded, results } = result;
  return { ok: true, revision, succeeded, results };
}

function asDone(result: CommandResult): Done | Refused {
  return result.kind === 'refused' ? refused(result) : { ok: true, revision: result.revision };
}

function refused({ refusal, revision }: { refusal: Refusal; revision: Revision }): Refused {
  return { ok: false, refusal, revision };
}

function unexpected(result: CommandResult): Error {
  return new Error(`the store answered with ${result.kind}`);
}
