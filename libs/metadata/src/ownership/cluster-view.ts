import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import type { MetadataStore, MetadataWatch } from '../metadata-store.port.js';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import type { KeyValue, LeaseId, Revision } from '../state/index.js';
import { OWNERSHIP_RANGE, decodeClaim, decodeMember, parseKey } from './ownership-keys.js';
import type { ClaimRecord, MemberRecord } from './ownership-keys.js';

export interface SeenMember {
  readonly record: MemberRecord;
  readonly createRevision: Revision;
  readonly lease: LeaseId;
  /**
   * Since when it is known in this state, by this node's monotonic clock; -Infinity for one that was
   * in it before this node came.
   */
  readonly seenAtMs: number;
}

export interface SeenClaim {
  /** Null when somebody wrote something else there. */
  readonly record: ClaimRecord | null;
  readonly createRevision: Revision;
}

export interface ClusterViewOptions {
  readonly store: MetadataStore;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly nodeId: string;
  readonly retryMs: number;
  /** Called after each change of what is seen. */
  readonly changed: () => void;
}

/** What this node knows of members and claims: the state at {@link revision}, followed by a watch. */
export class ClusterView {
  readonly members = new Map<string, SeenMember>();
  readonly claims = new Map<number, SeenClaim>();
  #revision: Revision = 0;
  readonly #options: ClusterViewOptions;
  #watch: MetadataWatch | null = null;
  #retry: TimerHandle | null = null;
  #following: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: ClusterViewOptions) {
    this.#options = options;
  }

  /** Everything up to it is seen. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Reads the state and follows it from there; rejects when the store does not answer. */
  async start(): Promise<void> {
    await this.#load(-Infinity);
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#retry?.cancel();
    this.#watch?.close();
    await this.#following;
  }

  async #load(seenAtMs: number): Promise<void> {
    const content = await this.#options.store.range(OWNERSHIP_RANGE);
    if (!content.ok)
      throw new MetadataUnavailableError(`reading members: ${content.refusal}`, 'no');
    const known = new Map(this.members);
    this.members.clear();
    this.claims.clear();
    for (const kv of content.kvs) this.#put(kv, seenAtMs, known);
    this.#revision = content.revision;
    this.#options.changed();
  }

  async #follow(): Promise<void> {
    if (this.#stopped) return;
    try {
      const fromRevision = this.#revision + 1;
      this.#watch = this.#options.store.watch({ ...OWNERSHIP_RANGE, fromRevision });
      for await (const { revision, events } of this.#watch) {
        for (const { kind, kv } of events) {
          if (kind === 'put') this.#put(kv, this.#now, this.members);
          else this.#delete(kv);
        }
        this.#revision = revision;
        this.#options.changed();
      }
    } catch {
      this.#again();
    }
  }

  /** After a watch broke: reads everything anew, as soon as the store answers. */
  #again(): void {
    if (this.#stopped) return;
    this.#retry = this.#options.timer.after(this.#options.retryMs, () => {
      this.#following = this.#load(this.#now).then(
        () => this.#follow(),
        () => this.#again(),
      );
    });
  }

  get #now(): number {
    return this.#options.clock.monotonicMs();
  }

  #put(kv: KeyValue, seenAtMs: number, known: ReadonlyMap<string, SeenMember>): void {
    const key = parseKey(kv.key);
    const { createRevision } = kv;
    if (key.kind === 'member') this.#putMember(key.nodeId, kv, seenAtMs, known.get(key.nodeId));
    if (key.kind === 'claim') {
      this.claims.set(key.shard, { record: decodeClaim(kv.value), createRevision });
    }
  }

  #putMember(nodeId: string, kv: KeyValue, seenAtMs: number, before?: SeenMember): void {
    const record = decodeMember(kv.value);
    if (record === null) {
      this.members.delete(nodeId);
      return;
    }
    const { createRevision, lease } = kv;
    const own = nodeId === this.#options.nodeId;
    const same =
      before?.createRevision === createRevision &&
      before.record.state === record.state &&
      before.record.lacks === record.lacks &&
      before.record.since === record.since;
    const sinceMs = same ? before.seenAtMs : own ? this.#now : seenAtMs;
    this.members.set(nodeId, { record, createRevision, lease, seenAtMs: sinceMs });
  }

  #delete(kv: KeyValue): void {
    const key = parseKey(kv.key);
    if (key.kind === 'member') this.members.delete(key.nodeId);
    if (key.kind === 'claim') this.claims.delete(key.shard);
  }
}
