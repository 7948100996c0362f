import type { Clock } from '@pawl/kernel';
import type {
  CoordinationNode,
  LeaseTime,
  MembersResult,
  NodeStatus,
  QuorumMember,
  ReadOptions,
  WatchHandle,
  WatchSink,
} from '../coordination.port.js';
import type {
  LeaseResult,
  MetadataWatch,
  RangeResult,
  Refused,
  StoreStatus,
  TxnResult,
  WatchRequest,
} from '../metadata-store.port.js';
import { DEFAULT_STATE_LIMITS, MetadataState, NO_LEASE, checkCommand } from '../state/index.js';
import type {
  Alarm,
  CommandBody,
  CommandResult,
  HashKv,
  LeaseId,
  Origin,
  RangeRequest,
  Refusal,
  Revision,
  StateLimits,
  Txn,
} from '../state/index.js';
import { WatchHub } from '../watch/watch-hub.js';

const CLUSTER = 0x1234_5678_9abc_def0n;
const MEMBER = 0x7fed_cba9_8765_4321n;

/**
 * All that the API needs of a node, in this process and without a log: what is asked for is done at
 * once. Members are a list; leases are as old as the clock says.
 */
export class SingleNode implements CoordinationNode {
  readonly state: MetadataState;
  readonly hub: WatchHub;
  members_: QuorumMember[] = [
    {
      id: 'n1',
      number: MEMBER,
      name: 'n1',
      peerAddress: '127.0.0.1:7480',
      clientAddresses: ['127.0.0.1:7479'],
      learner: false,
    },
  ];
  leader: bigint | null = MEMBER;
  /** Awaited by each call: throws, or takes its time. */
  before: (call: string) => Promise<void> = () => Promise.resolve();
  readonly #renewedMs = new Map<LeaseId, number>();
  #index = 0;
  #own = 0n;

  constructor(
    private readonly clock: Clock,
    private readonly limits: StateLimits = DEFAULT_STATE_LIMITS,
    maxWatches = 100_000,
  ) {
    this.state = new MetadataState(limits);
    this.hub = new WatchHub(this.state, { maxWatches });
  }

  head() {
    return { cluster: CLUSTER, member: MEMBER, revision: this.state.revision, term: 5 };
  }

  nodeStatus(): NodeStatus {
    return {
      ...this.head(),
      leader: this.leader,
      learner: false,
      raftIndex: this.#index,
      appliedIndex: this.#index,
      sizeBytes: this.state.sizeBytes + 100,
      sizeInUseBytes: this.state.sizeBytes,
      alarms: this.state.alarms,
    };
  }

  async range(request: RangeRequest, options: ReadOptions = {}): Promise<RangeResult> {
    await this.before(options.serializable === true ? 'serializable range' : 'range');
    const content = this.state.range(request, request.revision ?? 0, request.limit ?? 0);
    if ('refusal' in content) return this.#refuse(content.refusal);
    return { ok: true, revision: this.state.revision, ...content };
  }

  async txn(
    txn: Txn,
    { serializable, origin }: ReadOptions & { readonly origin?: Origin } = {},
  ): Promise<TxnResult> {
    await this.before(serializable === true ? 'serializable txn' : `${origin} txn`);
    const result = this.#apply({ kind: 'txn', origin: origin ?? 'own', ...txn });
    if (result.kind === 'refused') return this.#refuse(result.refusal);
    if (result.kind !== 'txn') throw new Error(result.kind);
    const { revision, succeeded, results } = result;
    return { ok: true, revision, succeeded, results };
  }

  observe(range: WatchRequest, sink: WatchSink): WatchHandle {
    return this.hub.observe(range, sink);
  }

  watch(request: WatchRequest): MetadataWatch {
    return this.hub.watch(request);
  }

  async grantLease(
    ttlMs: number,
    id: LeaseId = NO_LEASE,
    { origin = 'own' }: { readonly origin?: Origin } = {},
  ): Promise<LeaseResult> {
    await this.before(`${origin} grant`);
    this.#own -= 1n;
    const wanted = id === NO_LEASE && origin === 'own' ? this.#own : id;
    const result = this.#apply({ kind: 'lease-grant', id: wanted, ttlMs, origin });
    if (result.kind === 'refused') return this.#refuse(result.refusal);
    if (result.kind !== 'lease') throw new Error(result.kind);
    this.#renewedMs.set(result.id, this.clock.monotonicMs());
    return { ok: true, id: result.id, ttlMs };
  }

  async keepAlive(id: LeaseId): Promise<LeaseResult> {
    await this.before(`keep-alive ${id}`);
    this.expire();
    const lease = this.state.lease(id);
    if (lease === null) return this.#refuse('lease-not-found');
    this.#renewedMs.set(id, this.clock.monotonicMs());
    return { ok: true, id, ttlMs: lease.ttlMs };
  }

  async revokeLease(id: LeaseId): Promise<{ ok: true; revision: Revision } | Refused> {
    return this.#do({ kind: 'lease-revoke', id });
  }

  async leaseTime(id: LeaseId): Promise<LeaseTime | null> {
    await this.before('lease time');
    this.expire();
    const lease = this.state.lease(id);
    if (lease === null) return null;
    const remainingMs = lease.ttlMs - this.#ageMs(id);
    return { id, grantedMs: lease.ttlMs, remainingMs, keys: this.state.leaseKeys(id) };
  }

  async leases(): Promise<readonly LeaseId[]> {
    await this.before('leases');
    return this.state.leases.map(({ id }) => id);
  }

  /** Ends the leases that have run out. */
  expire(): void {
    const over = this.state.leases.filter(({ id, ttlMs }) => this.#ageMs(id) >= ttlMs);
    for (const { id } of over) this.#apply({ kind: 'lease-revoke', id });
  }

  async compact(revision: Revision): Promise<{ ok: true; revision: Revision } | Refused> {
    return this.#do({ kind: 'compact', revision });
  }

  async status(): Promise<StoreStatus> {
    const { revision, compactRevision, sizeBytes } = this.state;
    const [leader, term, clusterId] = ['n1', 5, 'c1'];
    return { clusterId, members: ['n1'], leader, term, revision, compactRevision, sizeBytes };
  }

  async members(options: ReadOptions = {}): Promise<readonly QuorumMember[]> {
    await this.before(options.serializable === true ? 'serializable members' : 'members');
    return this.members_;
  }

  async addMember(member: { peerAddress: string; learner?: boolean }): Promise<MembersResult> {
    await this.before('add');
    const { peerAddress, learner = false } = member;
    if (this.members_.some((one) => one.peerAddress === peerAddress)) {
      return { ok: false, refusal: 'address-in-use' };
    }
    const number = MEMBER + BigInt(this.members_.length);
    const changed = { id: peerAddress, number, name: '', peerAddress, learner };
    return this.#changed([...this.members_, { ...changed, clientAddresses: [] }], number);
  }

  async removeMember(member: bigint): Promise<MembersResult> {
    if (member === MEMBER) return { ok: false, refusal: 'last-voter' };
    return this.#changed(
      this.members_.filter(({ number }) => number !== member),
      member,
    );
  }

  async updateMember(member: bigint, peerAddress: string): Promise<MembersResult> {
    const change = (one: QuorumMember) => (one.number === member ? { ...one, peerAddress } : one);
    return this.#changed(this.members_.map(change), member);
  }

  async promoteMember(member: bigint): Promise<MembersResult> {
    const found = this.members_.find(({ number }) => number === member);
    if (found?.learner === false) return { ok: false, refusal: 'not-a-learner' };
    const change = (one: QuorumMember) => (one === found ? { ...one, learner: false } : one);
    return this.#changed(this.members_.map(change), member);
  }

  async transferLeadership(member: bigint): Promise<'done' | 'not-leader' | 'refused'> {
    if (this.leader !== MEMBER) return 'not-leader';
    if (!this.members_.some(({ number }) => number === member)) return 'refused';
    this.leader = member;
    return 'done';
  }

  async hashKv(revision: Revision): Promise<HashKv | Refused> {
    const result = this.state.hashKv(revision);
    return 'refusal' in result ? this.#refuse(result.refusal) : result;
  }

  snapshot() {
    return this.state.snapshotChunks();
  }

  async alarms(): Promise<readonly Alarm[]> {
    return this.state.alarms;
  }

  async setAlarm(action: 'raise' | 'clear', alarm: Alarm): Promise<void> {
    this.#apply({ kind: 'alarm', action, ...alarm });
  }

  async defragment(): Promise<void> {
    await this.before('defragment');
    while (this.state.scavenge(1000));
  }

  #changed(members: QuorumMember[], member: bigint): MembersResult {
    const [changed] = [...members, ...this.members_].filter(({ number }) => number === member);
    if (changed === undefined) return { ok: false, refusal: 'member-not-found' };
    this.members_ = members;
    return { ok: true, members, changed };
  }

  #ageMs(id: LeaseId): number {
    return this.clock.monotonicMs() - (this.#renewedMs.get(id) ?? 0);
  }

  async #do(command: CommandBody): Promise<{ ok: true; revision: Revision } | Refused> {
    await this.before(command.kind);
    const result = this.#apply(command);
    if (result.kind === 'refused') return this.#refuse(result.refusal);
    return { ok: true, revision: result.revision };
  }

  #apply(command: CommandBody): CommandResult {
    const refusal = checkCommand(command, this.limits);
    if (refusal !== null) return { kind: 'refused', ...this.#refuse(refusal) };
    this.#index += 1;
    const result = this.state.apply(command, { index: this.#index, term: 5 });
    this.hub.applied();
    return result;
  }

  #refuse(refusal: Refusal): Refused {
    return { ok: false, refusal, revision: this.state.revision };
  }
}
