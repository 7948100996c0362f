import { assert } from '@pawl/kernel';
import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import type { ClusterStatus, EngineLog, ShardClaim, ShardHost, ShardOwnership } from '@pawl/engine';
import type { MetadataStore } from '../metadata-store.port.js';
import { ClusterView } from './cluster-view.js';
import type { SeenClaim } from './cluster-view.js';
import { readClaim } from './claim-shard.js';
import type { Claimant } from './claim-shard.js';
import { fencingToken } from './fencing-token.js';
import { NodeIdInUseError, joinCluster, keepSessionAlive } from './node-session.js';
import type { NodeSession } from './node-session.js';
import { planShards } from './plan-shards.js';
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
  /** How long a new member is known before it is wanted as an owner; the lease's TTL if left out. */
  readonly settleMs?: number;
}

/** Shards that move to another owner at the same time. */
const HAND_OVERS = 2;
const RETRY_MS = 200;
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
  #session: NodeSession | null = null;
  #slots: readonly ShardSlot[] = [];
  #plan: readonly (string | null)[] = [];
  #handOvers = 0;
  #stopKeepAlive: () => void = () => undefined;
  #settling: TimerHandle | null = null;
  #rejoin: TimerHandle | null = null;
  #joining: Promise<void> = Promise.resolve();
  #state: 'new' | 'running' | 'stopped' = 'new';
  readonly #listeners = new Set<() => void>();

  constructor(options: ShardOwnershipOptions) {
    this.#options = options;
    this.nodeId = options.nodeId;
    this.incarnation = options.incarnation;
    this.#log = options.log ?? SILENT;
    const { store, clock, timer, nodeId } = options;
    const changed = (): void => this.#changed();
    this.#view = new ClusterView({ store, clock, timer, nodeId, retryMs: RETRY_MS, changed });
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
    await Promise.all(this.#slots.map(({ tried }) => tried));
  }

  async stop(): Promise<void> {
    this.#state = 'stopped';
    this.#settling?.cancel();
    this.#rejoin?.cancel();
    await Promise.all([this.#joining, ...this.#slots.map((slot) => slot.stop())]);
    this.#stopKeepAlive();
    await this.#view.stop();
    const session = this.#session;
    this.#session = null;
    if (session === null) return;
    try {
      await this.#options.store.revokeLease(session.lease);
    } catch (error) {
      this.#log.warn('the lease could not be ended; it runs out', reasonOf(error));
    }
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

  async lookUp(shard: number): Promise<ShardClaim> {
    return asShardClaim(shard, await readClaim(this.#options.store, shard));
  }

  async status(): Promise<ClusterStatus> {
    const { members, leader, term, revision } = await this.#options.store.status();
    const nodes = [...this.#view.members].map(([id, { record }]) => {
      const { state, address, since, problem } = record;
      return {
        id,
        state,
        ...(address === undefined ? {} : { address }),
        ...(since === undefined ? {} : { since }),
        ...(problem === undefined ? {} : { problem }),
      };
    });
    nodes.sort((left, right) => (left.id < right.id ? -1 : 1));
    return {
      nodes,
      quorum: { members, leader, term, revision },
    };
  }

  recheck(shard: number): void {
    this.#slots[shard]?.recheck();
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
        const own = claim.record.incarnation === this.#options.incarnation;
        return { asOf, claim: claim.createRevision, own };
      },
      now: () => this.#now(),
      mayHandOver: () => this.#handOvers < HAND_OVERS,
      handOverBegins: () => {
        this.#handOvers += 1;
      },
      handOverEnds: () => {
        this.#handOvers -= 1;
        this.#wakeAll();
      },
      sessionEnded: (session) => this.#sessionEnded(session),
    };
  }

  #claimant(): Claimant | null {
    const { nodeId, incarnation } = this.#options;
    return this.#session === null ? null : { nodeId, incarnation, session: this.#session };
  }

  async #join(): Promise<void> {
    const { store, clock, timer, nodeId, incarnation, folder, address, leaseTtlMs } = this.#options;
    const member = {
      incarnation,
      folder,
      state: 'ready' as const,
      since: this.#now(),
      ...(address === undefined ? {} : { address }),
    };
    const session = await joinCluster({ store, clock, timer, nodeId, member, leaseTtlMs });
    this.#session = session;
    this.#stopKeepAlive = keepSessionAlive(session.lease, {
      store,
      timer,
      leaseTtlMs,
      ended: () => this.#sessionEnded(session),
      unanswered: (error) => this.#log.warn('the lease could not be renewed', reasonOf(error)),
    });
  }

  /** All claims went with the lease: everything is dropped, and this node becomes a member anew. */
  #sessionEnded(session: NodeSession): void {
    if (this.#session !== session || this.#state !== 'running') return;
    this.#log.warn("this node's lease has ended; it claims its shards anew");
    this.#session = null;
    this.#stopKeepAlive();
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
    const { shards, leaseTtlMs, settleMs = leaseTtlMs, clock } = this.#options;
    const now = clock.monotonicMs();
    const members = [...this.#view.members].map(([nodeId, { seenAtMs }]) => ({
      nodeId,
      seenForMs: now - seenAtMs,
    }));
    this.#plan = planShards(shards, members, settleMs);
    const waits = members.map(({ seenForMs }) => settleMs - seenForMs).filter((ms) => ms > 0);
    this.#settling?.cancel();
    this.#settling =
      waits.length === 0
        ? null
        : this.#options.timer.after(Math.min(...waits), () => this.#changed());
    this.#wakeAll();
    for (const listener of [...this.#listeners]) listener();
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

  #wakeAll(): void {
    for (const slot of this.#slots) slot.wake();
  }

  #now(): string {
    return new Date(this.#options.clock.wallMs()).toISOString();
  }
}

function asShardClaim(shard: number, claim: SeenClaim | null | undefined): ShardClaim {
  if (claim === null || claim === undefined) {
    return { shard, owner: null, token: null, serving: false, since: null };
  }
  const { record, createRevision } = claim;
  return {
    shard,
    owner: record.node,
    token: fencingToken(record.epoch, createRevision),
    serving: record.servedAt !== undefined,
    since: record.servedAt ?? null,
  };
}

function reasonOf(error: unknown): { readonly reason: string } {
  return { reason: error instanceof Error ? error.message : String(error) };
}
