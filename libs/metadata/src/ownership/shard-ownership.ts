import { assert } from '@pawl/kernel';
import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import type {
  ClusterNode,
  ClusterStatus,
  EngineLog,
  ShardClaim,
  ShardHost,
  ShardOwnership,
} from '@pawl/engine';
import type { MetadataStore } from '../metadata-store.port.js';
import { ClusterView } from './cluster-view.js';
import type { SeenClaim } from './cluster-view.js';
import { readClaim } from './claim-shard.js';
import type { Claimant } from './claim-shard.js';
import { Draining } from './draining.js';
import { FailingShards } from './failing-shards.js';
import { fencingToken } from './fencing-token.js';
import { HandOvers } from './hand-overs.js';
import { MarkNotes } from './mark-notes.js';
import { NodeIdInUseError, joinCluster, keepSessionAlive } from './node-session.js';
import type { NodeSession } from './node-session.js';
import { NodeState } from './node-state.js';
import { OwnRecord } from './own-record.js';
import { rememberedGeneration } from './remembered-generation.js';
import { planChangesIn, planShard, takesOver } from './plan-shards.js';
import type { PlannedMember, PlanTimes } from './plan-shards.js';
import { ShardSlot } from './shard-slot.js';
import type { SlotSurroundings } from './shard-slot.js';

export interface ShardOwnershipOptions {
  readonly store: MetadataStore;
  readonly nodeId: string;
  /** Random, of this process. */
  readonly incarnation: string;
  /** Identity of the data folder whose lock this process holds. */
  readonly folder: string;
  readonly shards: number;
  readonly leaseTtlMs: number;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly log?: EngineLog;
  /** Where other nodes and people reach this one. */
  readonly address?: string;
  /** How long a member is ready before it is wanted as an owner; the lease's TTL if left out. */
  readonly settleMs?: number;
  /** How long {@link ShardOwnership.drain} may take at most; 8 s if left out. */
  readonly drainMs?: number;
}

/** Shards that may be without service at the same time because they move. */
const HAND_OVERS = 2;
/** How long the next owner of a shard is waited for before the next shard is handed over. */
const HAND_OVER_MS = 2000;
const DRAIN_MS = 8_000;
/** How long a stop waits for shards to be put away before it ends the lease. */
const PUT_AWAY_MS = 2_000;
/** Nodes notice within this time of each other that PostgreSQL is away for all of them. */
const LEAST_GRACE_MS = 2000;
const RETRY_MS = 200;
/** How long a shard that a ready node cannot serve is left to others at first, in settle times: a minute. */
const FAILING_SETTLES = 12;
const SILENT: EngineLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Ownership of shards through a {@link MetadataStore}, as DESIGN.md §5 describes it. */
export function createShardOwnership(options: ShardOwnershipOptions): ShardOwnership {
  return new MetadataShardOwnership(options);
}

class MetadataShardOwnership implements ShardOwnership {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly #options: ShardOwnershipOptions;
  readonly #log: EngineLog;
  readonly #view: ClusterView;
  readonly #times: PlanTimes;
  readonly #own: NodeState;
  readonly #record: OwnRecord;
  readonly #failing: FailingShards;
  readonly #handOvers: HandOvers;
  readonly #marks: MarkNotes;
  readonly #listeners = new Set<() => void>();
  #session: NodeSession | null = null;
  #slots: readonly ShardSlot[] = [];
  #plan: readonly (string | null)[] = [];
  #stopKeepAlive: () => void = () => undefined;
  #settling: TimerHandle | null = null;
  #rejoin: TimerHandle | null = null;
  #joining: Promise<void> = Promise.resolve();
  #draining: Draining | null = null;
  #state: 'new' | 'running' | 'stopped' = 'new';

  constructor(options: ShardOwnershipOptions) {
    this.#options = options;
    this.nodeId = options.nodeId;
    this.incarnation = options.incarnation;
    this.#log = options.log ?? SILENT;
    const { store, clock, timer, nodeId, leaseTtlMs } = options;
    const { settleMs = leaseTtlMs } = options;
    this.#times = { settleMs, graceMs: Math.max(leaseTtlMs / 2, LEAST_GRACE_MS) };
    const changed = (): void => this.#changed();
    this.#view = new ClusterView({ store, clock, timer, nodeId, retryMs: RETRY_MS, changed });
    this.#own = new NodeState({
      timer,
      monotonicMs: () => clock.monotonicMs(),
      times: this.#times,
      patienceMs: leaseTtlMs / 2,
      changed: () => this.#record.changed(),
    });
    this.#failing = new FailingShards({
      clock,
      timer,
      patienceMs: leaseTtlMs,
      log: this.#log,
      firstMs: FAILING_SETTLES * settleMs,
      isReady: () => this.#own.current.state === 'ready' && this.#own.hasTruth,
      changed: () => this.#record.changed(),
    });
    this.#record = this.#ownRecord(options);
    this.#marks = new MarkNotes({
      store,
      timer,
      everyMs: leaseTtlMs,
      notes: () => this.#slots.flatMap(({ note }) => note ?? []),
    });
    this.#handOvers = new HandOvers({
      timer,
      boundMs: HAND_OVER_MS,
      limit: () => (this.#own.current.state === 'unready' ? Infinity : HAND_OVERS),
      served: (shard) => this.#isServedElsewhere(shard),
      freed: () => this.#wakeAll(),
    });
  }

  async start(host: ShardHost): Promise<void> {
    assert(this.#state === 'new', 'an ownership is started once');
    this.#state = 'running';
    await this.#join();
    await this.#view.start();
    const around = this.#surroundings(host);
    this.#slots = Array.from(
      { length: this.#options.shards },
      (_, shard) => new ShardSlot(shard, around),
    );
    this.#changed();
    this.#marks.start();
    await Promise.all(this.#slots.map(({ tried }) => tried));
  }

  async drain(): Promise<void> {
    if (this.#state !== 'running') return;
    if (this.#draining === null) {
      this.#draining = this.#beginDraining();
      this.#own.drain();
      this.#checkDrained();
    }
    await this.#draining.over;
  }

  async stop(): Promise<void> {
    await this.drain();
    this.#state = 'stopped';
    this.#settling?.cancel();
    this.#rejoin?.cancel();
    this.#own.stop();
    this.#failing.stop();
    this.#marks.stop();
    this.#handOvers.stop();
    const put = Promise.all([this.#joining, ...this.#slots.map((slot) => slot.stop())]);
    await this.#within(PUT_AWAY_MS, put);
    await this.#leave();
    await this.#view.stop();
  }

  /** Waits for work, but not for longer; what is late is fenced. */
  #within(ms: number, work: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = this.#options.timer.after(ms, resolve);
      work.then(() => {
        late.cancel();
        resolve();
      }, reject);
    });
  }

  setTruth(problem: string | null): void {
    if (this.#state === 'stopped') return;
    const lacked = this.#own.current.lacks === 'truth';
    this.#own.set('truth', problem);
    if (!lacked || problem !== null) return;
    this.#failing.clear();
    for (const slot of this.#slots) slot.hurry();
  }

  setDistribution(problem: string | null): void {
    if (this.#state !== 'stopped') this.#own.set('distribution', problem);
  }

  map(): readonly ShardClaim[] {
    return Array.from({ length: this.#options.shards }, (_, shard) =>
      asShardClaim(shard, this.#view.claims.get(shard)),
    );
  }

  onChange(listener: () => void): { stop(): void } {
    // A wrapper of its own: one function may listen twice.
    const entry = (): void => listener();
    this.#listeners.add(entry);
    return { stop: () => void this.#listeners.delete(entry) };
  }

  readonly rememberedGeneration = () => rememberedGeneration(this.#options.store);

  async lookUp(shard: number): Promise<ShardClaim> {
    return asShardClaim(shard, await readClaim(this.#options.store, shard));
  }

  mayMove(shard: number): boolean {
    const owner = this.#view.claims.get(shard)?.record?.node;
    if (owner !== this.nodeId && !this.#own.hasTruth) return false;
    const takes = this.#members().filter((member) => takesOver(member, this.#times));
    return takes.some(({ nodeId, failing }) => nodeId !== owner && !failing.includes(shard));
  }

  async status(): Promise<ClusterStatus> {
    const { members, leader, term, revision } = await this.#options.store.status();
    const planned = this.#members();
    const anySettled = planned.some(({ settled }) => settled);
    const nodes = planned.map((member): ClusterNode => {
      const { nodeId: id, state, settled } = member;
      const settling = state === 'ready' && anySettled && !settled;
      const { address, since, problem } = this.#view.members.get(id)?.record ?? {};
      return {
        id,
        state: settling ? 'settling' : state,
        ...(address === undefined ? {} : { address }),
        ...(since === undefined ? {} : { since }),
        ...(problem === undefined ? {} : { problem }),
      };
    });
    nodes.sort((left, right) => (left.id < right.id ? -1 : 1));
    return { nodes, quorum: { members, leader, term, revision } };
  }

  recheck(shard: number): void {
    this.#slots[shard]?.recheck();
  }

  #ownRecord(options: ShardOwnershipOptions): OwnRecord {
    const { store, timer, nodeId, incarnation, folder, address } = options;
    return new OwnRecord({
      store,
      timer,
      nodeId,
      about: { incarnation, folder, ...(address === undefined ? {} : { address }) },
      state: () => this.#own.current,
      failing: () => this.#failing.listed,
      now: () => this.#now(),
      retryMs: RETRY_MS,
      sessionEnded: (session) => this.#sessionEnded(session),
      unanswered: (error) =>
        this.#log.warn('the member record could not be written', reasonOf(error)),
    });
  }

  #surroundings(host: ShardHost): SlotSurroundings {
    const { store, timer } = this.#options;
    return {
      store,
      timer,
      host,
      log: this.#log,
      claimant: () => this.#claimant(),
      wanted: (shard) => this.#plan[shard] === this.nodeId,
      seen: (shard) => {
        const claim = this.#view.claims.get(shard);
        const asOf = this.#view.revision;
        if (claim === undefined) return { asOf, claim: null, own: false };
        const own = claim.record?.incarnation === this.#options.incarnation;
        return { asOf, claim: claim.createRevision, own };
      },
      now: () => this.#now(),
      handOvers: this.#handOvers,
      isNoted: (shard, mark) => this.#marks.has(shard, mark),
      claimed: (shard, serves) => this.#failing.claimed(shard, serves),
      sessionEnded: (session) => this.#sessionEnded(session),
      rested: () => this.#checkDrained(),
    };
  }

  #claimant(): Claimant | null {
    const { nodeId, incarnation } = this.#options;
    return this.#session === null ? null : { nodeId, incarnation, session: this.#session };
  }

  async #join(): Promise<void> {
    const { store, clock, timer, nodeId, leaseTtlMs } = this.#options;
    const member = this.#record.record;
    const session = await joinCluster({ store, clock, timer, nodeId, member, leaseTtlMs });
    this.#session = session;
    this.#stopKeepAlive = keepSessionAlive(session.lease, {
      store,
      timer,
      leaseTtlMs,
      ended: () => this.#sessionEnded(session),
      unanswered: (error) => this.#log.warn('the lease could not be renewed', reasonOf(error)),
    });
    this.#record.keep(session, member);
    this.#own.joined();
  }

  /** All claims went with the lease: everything is dropped, and this node becomes a member anew. */
  #sessionEnded(session: NodeSession): void {
    if (this.#session !== session || this.#state !== 'running') return;
    this.#log.warn("this node's lease has ended; it claims its shards anew");
    this.#session = null;
    this.#stopKeepAlive();
    this.#own.left();
    this.#record.changed();
    void this.#record.release();
    this.#wakeAll();
    this.#joinAgain(0);
  }

  #joinAgain(delayMs: number): void {
    this.#rejoin = this.#options.timer.after(delayMs, () => {
      if (this.#state !== 'running') return;
      this.#joining = this.#join().then(
        () => this.#changed(),
        (error: unknown) => {
          const level = error instanceof NodeIdInUseError ? 'error' : 'warn';
          this.#log[level]('this node could not become a member again', reasonOf(error));
          if (this.#state === 'running') this.#joinAgain(RETRY_MS);
        },
      );
    });
  }

  /** Something is seen that was not before: plans anew and lets every shard look. */
  #changed(): void {
    if (this.#state !== 'running') return;
    this.#checkMember();
    const members = this.#members();
    this.#plan = Array.from({ length: this.#options.shards }, (_, shard) => {
      const claim = this.#view.claims.get(shard)?.record ?? null;
      return planShard(shard, claim, members, this.#times);
    });
    const inMs = planChangesIn(members, this.#times);
    this.#settling?.cancel();
    this.#settling = inMs === null ? null : this.#options.timer.after(inMs, () => this.#changed());
    this.#handOvers.look();
    this.#wakeAll();
    for (const listener of [...this.#listeners]) listener();
  }

  #members(): PlannedMember[] {
    const now = this.#options.clock.monotonicMs();
    return [...this.#view.members].map(([nodeId, { record, seenAtMs }]) => {
      const { incarnation, state, lapses = 0, failing = [] } = record;
      const settled = state === 'ready' && record.settled === true;
      const lacks = state === 'unready' ? (record.lacks ?? 'truth') : null;
      const forMs = now - seenAtMs;
      return { nodeId, incarnation, state, settled, lacks, lapses, failing, forMs };
    });
  }

  /** A member record that somebody took away ends the session as the end of the lease does. */
  #checkMember(): void {
    const session = this.#session;
    if (session === null || this.#view.revision < session.memberRevision) return;
    const seen = this.#view.members.get(this.nodeId);
    if (seen?.createRevision === session.memberRevision) return;
    void this.#options.store.revokeLease(session.lease).catch(() => undefined);
    this.#sessionEnded(session);
  }

  #beginDraining(): Draining {
    return new Draining({
      timer: this.#options.timer,
      boundMs: this.#options.drainMs ?? DRAIN_MS,
      isSaid: () => this.#saysItDrains,
      givenUp: (said) => {
        this.#log.warn('not every shard could be handed over; the others go with the lease');
        // Whoever takes them need not wait for the rest of the stop; the fence decides meanwhile.
        if (said) void this.#leave();
      },
    });
  }

  /** Ends the lease, and with it the member record and every claim; what is still served is dropped. */
  async #leave(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    this.#session = null;
    this.#stopKeepAlive();
    this.#wakeAll();
    const released = this.#record.release();
    try {
      await this.#options.store.revokeLease(session.lease);
    } catch (error) {
      this.#log.warn('the lease could not be ended; it runs out', reasonOf(error));
    }
    await released;
  }

  get #saysItDrains(): boolean {
    return this.#view.members.get(this.nodeId)?.record.state === 'draining';
  }

  /** Drained: nothing is left here, or nobody is there to take it. */
  #checkDrained(): void {
    if (this.#draining === null) return;
    const others = this.#members().filter(({ nodeId }) => nodeId !== this.nodeId);
    const alone = others.every(({ state }) => state !== 'ready');
    const empty = this.#handOvers.count === 0 && this.#slots.every(({ isFree }) => isFree);
    if (alone || (this.#saysItDrains && empty)) this.#draining.end();
  }

  #isServedElsewhere(shard: number): boolean {
    const record = this.#view.claims.get(shard)?.record;
    return record?.servedAt !== undefined && record.incarnation !== this.incarnation;
  }

  #wakeAll(): void {
    for (const slot of this.#slots) slot.wake();
    this.#checkDrained();
  }

  #now(): string {
    return new Date(this.#options.clock.wallMs()).toISOString();
  }
}

function asShardClaim(shard: number, claim: SeenClaim | null | undefined): ShardClaim {
  const record = claim?.record ?? null;
  if (claim === null || claim === undefined || record === null) {
    return { shard, owner: null, token: null, serving: false, since: null };
  }
  return {
    shard,
    owner: record.node,
    token: fencingToken(record.epoch, claim.createRevision),
    serving: record.servedAt !== undefined,
    since: record.servedAt ?? null,
  };
}

function reasonOf(error: unknown): { readonly reason: string } {
  return { reason: error instanceof Error ? error.message : String(error) };
}
