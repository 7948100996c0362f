import { isHigher, isSameIdentity, STABLE_COHORT } from '@pawl/contracts';
import type { Ack, AddressText, Hello } from '@pawl/contracts';
import type { ConsumerRef } from '../config-engine.js';
import type { EngineContext } from '../engine-context.js';
import { Turns } from '../turns.js';
import type { PublishedSnapshot } from '../sharding/root-tree.js';
import { consumerKey, emptyRun, identityOf, wasLiveAt } from './incarnation.js';
import { endedSince } from './ended-since.js';
import type { Ended } from './ended-since.js';
import type { HealthRoom } from './health-room.js';
import { HealthSums } from './health-sums.js';
import { intervalAmong, MISSED_HEARTBEATS, silentAfterMs } from './heartbeats.js';
import type { Incarnation, Run } from './incarnation.js';
import { Listening } from './listening.js';
import { recordOf } from './record-of.js';
import { RunJournal } from './run-journal.js';
import { cohortKnown, isAnswered, isOtherContent, reject, restoreRun } from './run-reports.js';
import type { Reported } from './run-reports.js';
import { Slots } from './slots.js';
import type { Heard } from './slots.js';
import type { ConsumerRecord } from './status-store.port.js';
import { surplusOf } from './surplus.js';

/** Heartbeats in which somebody is heard, unless nobody can be. */
const HEARD_WITHIN = 1.5;
/** The slot of one that said goodbye is kept for so long: whoever replaces it may still have to start. */
const KEPT_AFTER_GOODBYE_MS = 60_000;
/** And of one that fell silent, from when it is no longer live: longer than restarts are held back. */
const KEPT_AFTER_SILENCE_MS = 600_000;

/** Looks up what is published at an address, for the time from publication to application. */
export type PublishedLookup = (root: string, address: AddressText) => PublishedSnapshot | null;

/**
 * The status projection of one shard: what each incarnation of each consumer last reported. Never
 * inferred, only heard; bounded by `maxIncarnations`.
 */
export class ShardConsumers {
  /** What services report of themselves. */
  readonly health: HealthSums;
  readonly #consumers = new Map<string, Map<string, Incarnation>>();
  readonly #byAddress = new Map<AddressText, Set<Incarnation>>();
  readonly #slots = new Slots();
  readonly #dirty = new Set<Incarnation>();
  /** What is to be saved of what they began to run. */
  readonly journal: RunJournal;
  #count = 0;
  #comings = 0;
  /** Monotonic time at which what was saved had been read; from then on consumers can be heard. */
  #restoredMs = -Infinity;
  /** Monotonic times at which anybody was heard last, and since when without a long break. */
  #heardMs = -Infinity;
  #hearingSinceMs = -Infinity;
  readonly #listening = new Listening();

  constructor(
    private readonly context: EngineContext,
    private readonly published: PublishedLookup,
    room?: HealthRoom,
  ) {
    this.health = new HealthSums(room);
    this.journal = new RunJournal(context);
  }

  /** Milliseconds until the next heartbeat that a consumer is asked for. */
  get intervalMs(): number {
    return intervalAmong(this.context.settings.helloIntervalMs, this.#count);
  }

  /** Grows with whoever comes, comes back, or is another by slot or labels; not with who goes. */
  get comings(): number {
    return this.#comings;
  }

  hello(ref: ConsumerRef, hello: Hello): Incarnation | undefined {
    const incarnation = this.#heard(ref, hello.incarnation);
    if (incarnation === undefined) return undefined;
    const before = identityOf(incarnation);
    incarnation.build = hello.build ?? null;
    incarnation.labels = hello.labels;
    incarnation.left = hello.leaving === true;
    const reported = new Set<AddressText>();
    for (const run of hello.runs) {
      const address = run.address as AddressText;
      reported.add(address);
      const known = this.#run(incarnation, address);
      if (run.version > 0) {
        const cohort = run.cohort ?? cohortKnown(known, run);
        this.#applied(incarnation, address, {
          ...run,
          ...{ cohort, hash: run.hash ?? null, ageMs: null },
        });
      }
      known.highestVersion = Math.max(known.highestVersion, run.highestVersion ?? run.version);
      if (run.rejected !== undefined) this.#rejected(incarnation, address, run.rejected);
      if (known.notedMs === 0) this.#note(incarnation, address, known);
    }
    for (const [address, run] of incarnation.runs) {
      if (reported.has(address)) continue;
      this.#note(incarnation, address, run, { closed: true });
      this.#forgetRun(incarnation, address);
    }
    this.health.take(incarnation, hello.runs, this.context.clock.monotonicMs());
    if (incarnation.left) this.#hasLeft(incarnation);
    const wanted = incarnation.slot ?? hello.slot ?? null;
    incarnation.slot = this.#slots.lease(ref, wanted, this.#heardOf());
    if (!isSameIdentity(before, identityOf(incarnation))) this.#comings += 1;
    return incarnation;
  }

  ack(ref: ConsumerRef, ack: Ack): readonly AddressText[] {
    const incarnation = this.#heard(ref, ack.incarnation);
    if (incarnation === undefined) return [];
    const touched: AddressText[] = [];
    for (const item of ack.items) {
      const address = item.address as AddressText;
      const cohort = item.cohort ?? STABLE_COHORT;
      if (item.state === 'applied') {
        this.#applied(incarnation, address, { ...item, cohort, hash: item.hash ?? null });
      } else {
        const rejected = { ...item, cohort, reason: item.reason ?? '' };
        this.#rejected(incarnation, address, rejected);
        this.context.observer.rejected(address);
      }
      touched.push(address);
    }
    return touched;
  }

  /** Incarnations that have this address open; superseded ones are left out. */
  at(address: AddressText): Incarnation[] {
    return this.everAt(address).filter((one) => !this.#isSuperseded(one));
  }

  /** Incarnations that had this address open when they were last heard, superseded ones too. */
  everAt(address: AddressText): Incarnation[] {
    return [...(this.#byAddress.get(address) ?? [])];
  }

  /** Those with this address open that this owner has heard, and that ended since a monotonic time, see `endedSince`. */
  endedAt(address: AddressText, sinceMs: number): Ended[] {
    const nowMs = this.context.clock.monotonicMs();
    const heard = this.everAt(address).filter((one) => this.isHeard(one));
    const silentMs = this.hears ? MISSED_HEARTBEATS * this.intervalMs : null;
    const siblings = (ref: ConsumerRef) => this.#consumers.get(consumerKey(ref));
    return endedSince(heard, { sinceMs, nowMs, silentMs, siblings });
  }

  /**
   * Heard within three heartbeats, and not gone. While an owner is down nobody is heard, so who was live
   * then has three heartbeats from the time at which the next one listens.
   */
  isLive(incarnation: Incarnation): boolean {
    return this.#countsFromMs(incarnation) >= this.#liveSinceMs;
  }

  /**
   * Whether the slot of one that is not live is kept for whoever takes its place: for a minute after its
   * goodbye, and for ten from when it was no longer live, if it fell silent without one.
   */
  isKept(incarnation: Incarnation): boolean {
    if (incarnation.left)
      return incarnation.lastSeenMs >= this.context.clock.monotonicMs() - KEPT_AFTER_GOODBYE_MS;
    return this.#countsFromMs(incarnation) >= this.#liveSinceMs - KEPT_AFTER_SILENCE_MS;
  }

  /** Since when its silence counts; -Infinity: it is gone. */
  #countsFromMs({ left, presumed, lastSeenMs }: Incarnation): number {
    if (left) return -Infinity;
    return presumed ? Math.max(lastSeenMs, this.#restoredMs) : lastSeenMs;
  }

  get #liveSinceMs(): number {
    return this.context.clock.monotonicMs() - MISSED_HEARTBEATS * this.intervalMs;
  }

  /** Whether it was heard by this owner, and not only by the one before. */
  isHeard({ lastSeenMs }: Incarnation): boolean {
    return lastSeenMs >= this.#restoredMs;
  }

  /** Whether it was live at a monotonic time, as far as it has been heard, or later. */
  wasLiveSince({ lastSeenMs }: Incarnation, sinceMs: number): boolean {
    return lastSeenMs + MISSED_HEARTBEATS * this.intervalMs >= sinceMs;
  }

  /**
   * Whether others have been heard for so long that who is silent is silent by itself: not while NATS or
   * this process was away, nor before everybody has had the time to be heard again.
   */
  get hears(): boolean {
    const nowMs = this.context.clock.monotonicMs();
    const { intervalMs } = this;
    const isHeard = nowMs - this.#heardMs <= HEARD_WITHIN * intervalMs;
    return isHeard && nowMs - this.#hearingSinceMs > MISSED_HEARTBEATS * intervalMs;
  }

  /** Whether everybody who is there has had the time to be heard by this owner, also since it was {@link wasAway}. */
  get hadTimeToHear(): boolean {
    const sinceMs = this.context.clock.monotonicMs() - this.#restoredMs;
    return sinceMs > MISSED_HEARTBEATS * this.intervalMs && !this.wasAway;
  }

  /**
   * Whether NATS or this process was away for longer than a heartbeat, and that is not over for three of them:
   * whoever is there may have been taken for gone, and not have been heard again yet.
   */
  get wasAway(): boolean {
    const { intervalMs } = this;
    const silentMs = MISSED_HEARTBEATS * intervalMs;
    return this.#listening.wasAway(this.context.clock.monotonicMs(), { intervalMs, silentMs });
  }

  /** Told at each look whether consumers could be heard now. */
  listens(isConnected: boolean): void {
    this.#listening.look(this.context.clock.monotonicMs(), this.intervalMs, isConnected);
  }

  /** Another live incarnation reports under the same consumer id. */
  isDuplicate(incarnation: Incarnation): boolean {
    if (!this.isLive(incarnation)) return false;
    const siblings = this.#consumers.get(consumerKey(incarnation.ref)) ?? [];
    for (const [, other] of siblings) {
      if (other !== incarnation && this.isLive(other) && !this.#isSuperseded(other)) return true;
    }
    return false;
  }

  get liveCount(): number {
    let live = 0;
    for (const incarnations of this.#consumers.values()) {
      for (const one of incarnations.values()) if (this.isLive(one)) live += 1;
    }
    return live;
  }

  /** Takes what changed since the last call, to be saved. */
  takeDirty(): ConsumerRecord[] {
    const records = [...this.#dirty].map((one) => recordOf(one, this.context));
    this.#dirty.clear();
    return records;
  }

  /** Takes what was saved, before anything is heard; gives the event loop turns meanwhile. */
  async restore(records: readonly ConsumerRecord[]): Promise<void> {
    const wallMs = this.context.clock.wallMs();
    const nowMs = this.context.clock.monotonicMs();
    const turns = new Turns(this.context.scheduler);
    const seenAt = (record: ConsumerRecord): number => this.context.parseTime(record.lastSeenAt);
    const newestMs = records.reduce((newest, one) => Math.max(newest, seenAt(one)), -Infinity);
    const liveMs = silentAfterMs(this.context.settings.helloIntervalMs, records.length);
    this.#restoredMs = nowMs;
    for (const record of records) {
      if (record.slot !== null) this.#slots.restore(record, record.slot);
    }
    for (const record of records) {
      const seenMs = seenAt(record);
      const silentMs = Math.max(0, wallMs - seenMs);
      const incarnation = this.#add(record, record.incarnation, nowMs - silentMs, seenMs);
      if (incarnation === undefined) return;
      incarnation.build = record.build;
      incarnation.labels = record.labels;
      incarnation.left = record.left;
      incarnation.presumed = newestMs - seenMs <= liveMs;
      incarnation.slot = this.#slots.lease(record, record.slot, this.#heardOf());
      for (const stored of record.runs) {
        const run = this.#run(incarnation, stored.address);
        restoreRun(run, stored, this.context);
        if (stored.noted === true) run.notedMs = seenMs;
        else this.#note(incarnation, stored.address, run, { atMs: run.appliedAtMs ?? seenMs });
      }
      await turns.spent(0);
    }
    this.#dirty.clear();
    this.#restoredMs = this.context.clock.monotonicMs();
    this.#listening.begin(this.#restoredMs);
  }

  /** Forgets incarnations not heard of for `olderThanMs`; answers how many. */
  sweep(olderThanMs: number): number {
    const limitMs = this.context.clock.monotonicMs() - olderThanMs;
    let removed = 0;
    for (const [key, incarnations] of this.#consumers) {
      for (const one of incarnations.values()) {
        if (one.lastSeenMs >= limitMs) continue;
        this.#forget(incarnations, one);
        this.#slots.hasLeft(one.ref);
        removed += 1;
      }
      if (incarnations.size === 0) this.#consumers.delete(key);
    }
    return removed;
  }

  #heard(ref: ConsumerRef, id: string): Incarnation | undefined {
    const nowMs = this.context.clock.monotonicMs();
    const wallMs = this.context.clock.wallMs();
    const known = this.#consumers.get(consumerKey(ref))?.get(id);
    const incarnation = known ?? this.#add(ref, id, nowMs, wallMs);
    if (incarnation === undefined) return undefined;
    if (!this.isLive(incarnation)) this.#isLiveAgain(incarnation, wallMs);
    const breakMs = nowMs - this.#heardMs;
    if (breakMs > HEARD_WITHIN * this.intervalMs) this.#hearingSinceMs = nowMs;
    this.#heardMs = nowMs;
    incarnation.lastSeenMs = nowMs;
    incarnation.lastSeenWallMs = wallMs;
    if (incarnation.left) this.#isBack(incarnation);
    this.#dirty.add(incarnation);
    return incarnation;
  }

  #isLiveAgain(incarnation: Incarnation, wallMs: number): void {
    const { liveSinceMs: sinceMs, lastSeenWallMs, left } = incarnation;
    const stillMs = left ? 0 : MISSED_HEARTBEATS * this.intervalMs;
    incarnation.liveBefore = { sinceMs, untilMs: lastSeenWallMs + stillMs };
    incarnation.liveSinceMs = wallMs;
    this.#comings += 1;
  }

  #hasLeft(incarnation: Incarnation): void {
    this.#slots.hasLeft(incarnation.ref);
    for (const [address, run] of incarnation.runs) this.#note(incarnation, address, run);
  }

  #isBack(incarnation: Incarnation): void {
    incarnation.left = false;
    for (const [address, run] of incarnation.runs) this.#note(incarnation, address, run);
  }

  #rejected(incarnation: Incarnation, address: AddressText, rejected: Reported): void {
    const run = this.#run(incarnation, address);
    if (reject(run, rejected)) this.#note(incarnation, address, run);
  }

  #note(
    incarnation: Incarnation,
    address: AddressText,
    run: Run,
    { atMs = this.context.clock.wallMs(), closed = false } = {},
  ): void {
    this.journal.note(incarnation, address, { run, atMs, closed });
  }

  #add(ref: ConsumerRef, id: string, seenMs: number, wallMs: number): Incarnation | undefined {
    if (this.#count >= this.context.settings.maxIncarnations) return undefined;
    const { root, workload, consumerId } = ref;
    const incarnation: Incarnation = {
      ref: { root, workload, consumerId },
      id,
      build: null,
      labels: {},
      slot: null,
      firstSeenMs: seenMs,
      lastSeenMs: seenMs,
      lastSeenWallMs: wallMs,
      liveSinceMs: wallMs,
      liveBefore: null,
      presumed: false,
      left: false,
      runs: new Map(),
    };
    const key = consumerKey(ref);
    const siblings = this.#consumers.get(key) ?? new Map<string, Incarnation>();
    const surplus = surplusOf(siblings, (one) => this.isLive(one));
    if (surplus !== undefined) this.#forget(siblings, surplus);
    this.#consumers.set(key, siblings.set(id, incarnation));
    this.#count += 1;
    return incarnation;
  }

  #forget(siblings: Map<string, Incarnation>, one: Incarnation): void {
    for (const address of [...one.runs.keys()]) this.#forgetRun(one, address);
    siblings.delete(one.id);
    this.#dirty.delete(one);
    this.#count -= 1;
  }

  #run(incarnation: Incarnation, address: AddressText): Run {
    let run = incarnation.runs.get(address);
    if (run === undefined) {
      run = emptyRun();
      this.#comings += 1;
      incarnation.runs.set(address, run);
      const there = this.#byAddress.get(address) ?? new Set();
      this.#byAddress.set(address, there.add(incarnation));
    }
    return run;
  }

  #forgetRun(incarnation: Incarnation, address: AddressText): void {
    incarnation.runs.delete(address);
    const there = this.#byAddress.get(address);
    there?.delete(incarnation);
    if (there?.size !== 0) return;
    this.#byAddress.delete(address);
    this.journal.forget(address);
  }

  #applied(
    incarnation: Incarnation,
    address: AddressText,
    item: {
      readonly generation: number;
      readonly version: number;
      readonly hash: string | null;
      readonly cohort: string;
      readonly ageMs: number | null;
    },
  ): void {
    const { ref } = incarnation;
    const run = this.#run(incarnation, address);
    if (isHigher(run, item)) return;
    const isSame = !isHigher(item, run);
    if (isSame && run.cohort === item.cohort) return;
    run.cohort = item.cohort;
    if (run.rejected !== null && isAnswered(run.rejected, item)) run.rejected = null;
    if (isSame) {
      this.#note(incarnation, address, run);
      return;
    }
    const published = this.published(ref.root, address);
    if (isOtherContent(item, published)) this.#incident(ref, address, item.version);
    const appliedAtMs = this.context.clock.wallMs() - (item.ageMs ?? 0);
    run.generation = item.generation;
    run.version = item.version;
    run.hash = item.hash;
    run.highestVersion = Math.max(run.highestVersion, item.version);
    run.appliedAtMs = appliedAtMs;
    run.propagationMs = null;
    this.#note(incarnation, address, run, { atMs: appliedAtMs });
    if (item.ageMs === null || published?.version !== item.version) return;
    const publishedMs = this.context.parseTime(published.at);
    if (wasLiveAt(incarnation, publishedMs)) {
      run.propagationMs = Math.max(0, appliedAtMs - publishedMs);
    }
    this.context.observer.applied(address, run.propagationMs);
  }

  #incident(ref: ConsumerRef, address: AddressText, version: number): void {
    this.context.observer.incident('other-content');
    this.context.log.error('a consumer runs this version with other content', {
      ...ref,
      address,
      version,
    });
  }

  /** An older incarnation that fell silent once a newer one had started. */
  #isSuperseded(incarnation: Incarnation): boolean {
    const siblings = this.#consumers.get(consumerKey(incarnation.ref));
    if (siblings === undefined || siblings.size === 1) return false;
    for (const other of siblings.values()) {
      if (other !== incarnation && other.firstSeenMs > incarnation.lastSeenMs) return true;
    }
    return false;
  }

  #heardOf(): Heard {
    const lastMs = (key: string): number => {
      let last = -Infinity;
      for (const one of this.#consumers.get(key)?.values() ?? []) {
        last = Math.max(last, this.#countsFromMs(one));
      }
      return last;
    };
    return { lastMs, liveSinceMs: this.#liveSinceMs };
  }
}
