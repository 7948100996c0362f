import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import type { Lease, LeaseCheckpoint, LeaseId, LeaseState } from '../state/index.js';

/** Leases are looked at no more often than this, so that many cost no more than one. */
const GRAIN_MS = 10;
/**
 * A timer this late means that the process stood still: renewals may wait unread. What ran out
 * meanwhile gets this much more, once, to be renewed.
 */
const STALL_MS = 500;
const GRACE_MS = 1000;
const RETRY_MS = 100;
/** What was refused once is refused for a while: an alarm is on. */
const REFUSED_RETRY_MS = 1000;
/** A timer of the system counts 31 bits of milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/**
 * How much of a lease's time a change of the leader may add to it: so much, and in a young leader's
 * time half of what that has lasted, so that leaders in quick succession add little each. Above the
 * third after which clients renew: a lease whose holder lives is seldom recorded.
 */
const UNRECORDED_SHARE = 0.45;
const UNRECORDED_MS = { min: 500, max: 60_000 };
/**
 * A new leader gives a lease of Pawl's own so much of its time, not all of it: the rest went by while the
 * leader before was missed. Such a lease tells that a node lives, fencing does not rest on it; its node
 * renews it each third of its time, and more often while nobody leads.
 */
const OWN_SHARE = 0.75;
/** What is to be recorded so soon, and within this share of its time, is recorded with the rest. */
const RECORD_GRAIN_MS = 200;
const RECORD_GRAIN_SHARE = 0.1;
/** Leases in one command: it is applied in one step. */
const BATCH = 256;

/** What the leader of one term proposes about leases. */
export interface LeaseProposals {
  /** Resolves once it is applied, or may be lost; null when it surely was not taken. */
  expire(ids: readonly LeaseId[]): Promise<void> | null;
  /** Resolves once it is applied; rejects when it is not taken, or may be lost. */
  checkpoint(leases: readonly LeaseCheckpoint[]): Promise<void>;
}

export interface LeaseKeeperOptions {
  readonly clock: Clock;
  readonly timer: Timer;
  readonly propose: LeaseProposals;
}

interface Countdown {
  readonly ttlMs: number;
  deadlineMs: number;
  /** When what is left is recorded for the next leader, unless it is renewed before. */
  recordAtMs: number;
  /** Records below the full time that were proposed, and which of them a later one took back. */
  records: number;
  takenBack: number;
  /** Its end is proposed. */
  ending: boolean;
  /** It had its grace since the last renewal. */
  graced: boolean;
}

/**
 * Counts the time of leases for the leader of one term, by the monotonic clock: never less than the
 * TTL since the last acknowledged renewal or the grant, whoever led then (but for Pawl's own, see
 * {@link OWN_SHARE}), and no more than what the leaders before had recorded as left and what each change
 * of the leader adds.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #leases = new Map<LeaseId, Countdown>();
  readonly #waiting = new Map<LeaseId, (() => void)[]>();
  readonly #startedMs: number;
  #alarm: { readonly atMs: number; readonly handle: TimerHandle } | null = null;
  #running = true;

  /** `leases`: as the log left them, all of it up to this leader's term. */
  constructor(options: LeaseKeeperOptions, leases: readonly LeaseState[]) {
    this.#options = options;
    this.#startedMs = this.#now;
    for (const { id, ttlMs, remainingMs } of leases) {
      const mostMs = id < 0n ? OWN_SHARE * ttlMs : ttlMs;
      const countdown = this.#begin(id, ttlMs, Math.min(remainingMs, mostMs));
      if (remainingMs < ttlMs) countdown.records = 1;
    }
  }

  get size(): number {
    return this.#leases.size;
  }

  stop(): void {
    this.#running = false;
    this.#alarm?.handle.cancel();
    this.#alarm = null;
    this.#leases.clear();
    for (const id of [...this.#waiting.keys()]) this.#release(id);
  }

  /** A lease was granted; one that is known goes on. */
  granted({ id, ttlMs }: Lease): void {
    if (this.#running && !this.#leases.has(id)) this.#begin(id, ttlMs, ttlMs);
  }

  ended(id: LeaseId): void {
    this.#leases.delete(id);
    this.#release(id);
  }

  /**
   * Renews those that live, for their full time; waits for those whose end is under way. Answers the
   * TTL of each, null for one that has ended. To be called by a leader that has confirmed its quorum
   * since it was asked; rejects when that may be over before the renewal would hold.
   */
  async renew(ids: readonly LeaseId[]): Promise<(number | null)[]> {
    for (let ending = this.#anyEnding(ids); ending !== null; ending = this.#anyEnding(ids)) {
      await this.#ended(ending);
    }
    const takeBack: LeaseId[] = [];
    const ttls = ids.map((id) => {
      const lease = this.#leases.get(id);
      if (lease === undefined) return null;
      const now = this.#now;
      lease.deadlineMs = now + lease.ttlMs;
      lease.recordAtMs = now + this.#unrecordedMs(lease.ttlMs);
      lease.graced = false;
      if (lease.records > lease.takenBack) takeBack.push(id);
      return lease.ttlMs;
    });
    await this.#takeBack(takeBack);
    if (!this.#running) throw new Error('this node leads no more');
    return ttls;
  }

  /** Null: there is no such lease. */
  remainingMs(id: LeaseId): number | null {
    const lease = this.#leases.get(id);
    return lease === undefined ? null : Math.max(0, lease.deadlineMs - this.#now);
  }

  get #now(): number {
    return this.#options.clock.monotonicMs();
  }

  #begin(id: LeaseId, ttlMs: number, remainingMs: number): Countdown {
    const now = this.#now;
    const countdown: Countdown = {
      ttlMs,
      deadlineMs: now + remainingMs,
      recordAtMs: now + this.#unrecordedMs(ttlMs),
      records: 0,
      takenBack: 0,
      ending: false,
      graced: false,
    };
    this.#leases.set(id, countdown);
    this.#arm(Math.min(countdown.deadlineMs, countdown.recordAtMs));
    return countdown;
  }

  /** How long a lease's time may pass now without a record of it. */
  #unrecordedMs(ttlMs: number): number {
    const mostMs = Math.min(UNRECORDED_SHARE * ttlMs, UNRECORDED_MS.max);
    const ageMs = this.#now - this.#startedMs;
    return Math.min(mostMs, Math.max(ageMs / 2, UNRECORDED_MS.min));
  }

  #anyEnding(ids: readonly LeaseId[]): LeaseId | null {
    return ids.find((id) => this.#leases.get(id)?.ending === true) ?? null;
  }

  /** Resolves once the end of a lease, which is under way, is done or does not matter any more. */
  #ended(id: LeaseId): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id);
      if (waiting === undefined) this.#waiting.set(id, [resolve]);
      else waiting.push(resolve);
    });
  }

  #release(id: LeaseId): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    for (const resolve of waiting ?? []) resolve();
  }

  /** The next leader must give renewed leases their full time, whatever was recorded before. */
  async #takeBack(ids: readonly LeaseId[]): Promise<void> {
    if (ids.length === 0) return;
    const records = ids.map((id) => this.#leases.get(id)?.records ?? 0);
    for (let from = 0; from < ids.length; from += BATCH) {
      const batch = ids.slice(from, from + BATCH);
      await this.#options.propose.checkpoint(batch.map((id) => ({ id, remainingMs: 0 })));
    }
    ids.forEach((id, at) => {
      const lease = this.#leases.get(id);
      if (lease !== undefined) lease.takenBack = Math.max(lease.takenBack, records[at] ?? 0);
    });
  }

  /** Sees that the alarm rings at `atMs`, or before. */
  #arm(atMs: number): void {
    if (this.#alarm !== null && this.#alarm.atMs <= atMs) return;
    this.#alarm?.handle.cancel();
    const delayMs = Math.min(Math.ceil(atMs - this.#now), LONGEST_TIMER_MS);
    const handle = this.#options.timer.after(delayMs, () => this.#ring());
    this.#alarm = { atMs: this.#now + delayMs, handle };
  }

  #ring(): void {
    const now = this.#now;
    const stoodStill = now - (this.#alarm?.atMs ?? now) >= STALL_MS;
    this.#alarm = null;
    const [due, record]: [LeaseId[], LeaseCheckpoint[]] = [[], []];
    let earliestMs = Infinity;
    for (const [id, lease] of this.#leases) {
      if (lease.ending) continue;
      if (lease.deadlineMs <= now && stoodStill && !lease.graced) this.#grace(lease, now);
      if (lease.deadlineMs <= now) {
        due.push(id);
        continue;
      }
      const unrecordedMs = this.#unrecordedMs(lease.ttlMs);
      const grainMs = Math.min(RECORD_GRAIN_MS, RECORD_GRAIN_SHARE * unrecordedMs);
      if (lease.recordAtMs - grainMs <= now) {
        record.push({ id, remainingMs: Math.ceil(lease.deadlineMs - now) });
        lease.recordAtMs = now + unrecordedMs;
        lease.records += 1;
      }
      earliestMs = Math.min(earliestMs, lease.deadlineMs, lease.recordAtMs);
    }
    this.#expire(due);
    this.#record(record);
    if (earliestMs < Infinity) this.#arm(Math.max(earliestMs, now + GRAIN_MS));
  }

  #grace(lease: Countdown, now: number): void {
    lease.deadlineMs = now + Math.min(lease.ttlMs, GRACE_MS);
    lease.graced = true;
  }

  /** Proposes their end. Those whose end is not taken, or is refused, are tried again. */
  #expire(ids: readonly LeaseId[]): void {
    for (let from = 0; from < ids.length; from += BATCH) {
      const batch = ids.slice(from, from + BATCH);
      const applied = this.#options.propose.expire(batch);
      if (applied === null) {
        this.#arm(this.#now + RETRY_MS);
        continue;
      }
      for (const id of batch) {
        const lease = this.#leases.get(id);
        if (lease !== undefined) lease.ending = true;
      }
      void applied.then(() => this.#liveOn(batch));
    }
  }

  /** Those that are still there though it was applied: all were refused, or were too many at once. */
  #liveOn(ids: readonly LeaseId[]): void {
    const refused = ids.every((id) => this.#leases.has(id));
    const retryMs = refused ? REFUSED_RETRY_MS : RETRY_MS;
    for (const id of ids) {
      const lease = this.#leases.get(id);
      if (lease === undefined) continue;
      lease.ending = false;
      this.#release(id);
      this.#arm(this.#now + retryMs);
    }
  }

  #record(leases: readonly LeaseCheckpoint[]): void {
    for (let from = 0; from < leases.length; from += BATCH) {
      this.#options.propose.checkpoint(leases.slice(from, from + BATCH)).catch(() => undefined);
    }
  }
}
