import type { Clock, Timer, TimerHandle } from '@pawl/kernel';
import type { Lease, LeaseId } from '../state/index.js';

/** Leases are looked at no more often than this, so that many cost no more than one. */
const GRAIN_MS = 10;
/**
 * A timer this late means that the process stood still: holders could not renew, so all leases
 * begin anew, as after a restart.
 */
const STALL_MS = 500;
const RETRY_MS = 100;
/** A timer of the system counts 31 bits of milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export interface LeaseKeeperOptions {
  readonly clock: Clock;
  readonly timer: Timer;
  /** Proposes the end of leases; resolves once it is applied, rejects if it is not. */
  readonly expire: (ids: readonly LeaseId[]) => Promise<unknown>;
}

interface Countdown {
  readonly ttlMs: number;
  deadlineMs: number;
  /** Set while its end is proposed. */
  ending: Promise<unknown> | null;
}

/**
 * Counts the time of leases for the leader, by the monotonic clock: never less than its TTL since the
 * last acknowledged renewal, the grant, or the start of this keeper.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #leases = new Map<LeaseId, Countdown>();
  #alarm: { readonly atMs: number; readonly handle: TimerHandle } | null = null;
  #running = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  /** Starts counting; every lease begins at its full length. */
  start(leases: readonly Lease[]): void {
    this.#running = true;
    for (const lease of leases) this.granted(lease);
  }

  stop(): void {
    this.#running = false;
    this.#alarm?.handle.cancel();
    this.#alarm = null;
    this.#leases.clear();
  }

  granted({ id, ttlMs }: Lease): void {
    if (!this.#running) return;
    const deadlineMs = this.#now + ttlMs;
    this.#leases.set(id, { ttlMs, deadlineMs, ending: null });
    this.#arm(deadlineMs);
  }

  ended(id: LeaseId): void {
    this.#leases.delete(id);
  }

  /** Renews a lease unless it has ended; waits if its end is under way. Answers whether it lives. */
  async renew(id: LeaseId): Promise<boolean> {
    const ending = this.#leases.get(id)?.ending;
    if (ending !== null && ending !== undefined) await ending;
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    lease.deadlineMs = this.#now + lease.ttlMs;
    return true;
  }

  get #now(): number {
    return this.#options.clock.monotonicMs();
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
    const lateMs = now - (this.#alarm?.atMs ?? now);
    this.#alarm = null;
    if (lateMs >= STALL_MS) {
      for (const lease of this.#leases.values()) lease.deadlineMs = now + lease.ttlMs;
    }
    const due: LeaseId[] = [];
    let earliestMs = Infinity;
    for (const [id, { ending, deadlineMs }] of this.#leases) {
      if (ending !== null) continue;
      if (deadlineMs <= now) due.push(id);
      else earliestMs = Math.min(earliestMs, deadlineMs);
    }
    if (due.length > 0) this.#end(due);
    if (earliestMs < Infinity) this.#arm(Math.max(earliestMs, now + GRAIN_MS));
  }

  /** Proposes their end. Those that live on, because the proposal failed, are tried again. */
  #end(ids: readonly LeaseId[]): void {
    const ending = this.#options.expire(ids).catch(() => undefined);
    for (const id of ids) {
      const lease = this.#leases.get(id);
      if (lease !== undefined) lease.ending = ending;
    }
    void ending.then(() => {
      if (!this.#running) return;
      for (const id of ids) {
        const lease = this.#leases.get(id);
        if (lease === undefined || lease.ending !== ending) continue;
        lease.ending = null;
        this.#arm(this.#now + RETRY_MS);
      }
    });
  }
}
