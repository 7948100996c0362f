import { ManualTime } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import type { LeaseCheckpoint, LeaseId, LeaseState } from '../state/index.js';
import { LeaseKeeper } from './lease-keeper.js';

/** A keeper whose proposals the test sees and answers. */
class Desk {
  readonly time = new ManualTime();
  readonly expired: { readonly atMs: number; readonly ids: readonly LeaseId[] }[] = [];
  readonly records: { readonly atMs: number; readonly leases: readonly LeaseCheckpoint[] }[] = [];
  readonly keeper: LeaseKeeper;
  /** Milliseconds by which the clock is ahead of the timers: the process stood still. */
  skippedMs = 0;
  takes = true;
  /** Of commands that end leases. */
  applied: Promise<void> = new Promise(() => undefined);
  /** Null: proposals are applied at once. */
  held: { resolve: () => void; reject: (error: Error) => void }[] | null = null;

  constructor(...leases: Partial<LeaseState>[]) {
    this.keeper = new LeaseKeeper(
      {
        clock: { wallMs: () => 0, monotonicMs: () => this.time.monotonicMs() + this.skippedMs },
        timer: this.time,
        propose: {
          expire: (ids) => {
            this.expired.push({ atMs: this.time.monotonicMs(), ids });
            return this.takes ? this.applied : null;
          },
          checkpoint: (list) => {
            this.records.push({ atMs: this.time.monotonicMs(), leases: list });
            if (this.held === null) return Promise.resolve();
            return new Promise((resolve, reject) => this.held?.push({ resolve, reject }));
          },
        },
      },
      leases.map(({ id = 1n, ttlMs = 5000, remainingMs = ttlMs }) => ({ id, ttlMs, remainingMs })),
    );
  }

  /** Goes on until the keeper is no longer young. */
  aged(): this {
    this.time.advance(1_000_000);
    this.records.length = 0;
    return this;
  }

  /** How a renewal stands: what it gave, or that it waits. */
  async renewal(...ids: LeaseId[]): Promise<() => unknown> {
    let state: unknown = 'waits';
    this.keeper.renew(ids).then(
      (ttls) => (state = ttls),
      () => (state = 'fails'),
    );
    await this.settled();
    return () => state;
  }

  async settled(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }
}

describe('the time of leases', () => {
  it('runs out soon after the TTL, and not before', () => {
    const desk = new Desk(
      { id: 1n, ttlMs: 5000 },
      { id: 2n, ttlMs: 5003 },
      { id: 3n, ttlMs: 6000 },
    );
    desk.time.advance(4999);
    expect(desk.expired).toEqual([]);
    desk.time.advance(2000);
    expect(desk.expired).toEqual([
      { atMs: 5000, ids: [1n] },
      { atMs: 5010, ids: [2n] },
      { atMs: 6000, ids: [3n] },
    ]);
  });

  it('begins with what the leader before has left', () => {
    const desk = new Desk({ ttlMs: 5000, remainingMs: 1200 });
    desk.time.advance(1199);
    expect(desk.expired).toEqual([]);
    desk.time.advance(1);
    expect(desk.expired).toHaveLength(1);
  });

  it('of our own begins with three quarters with a new leader, unless less was recorded', async () => {
    const desk = new Desk(
      { id: -1n, ttlMs: 5000 },
      { id: -2n, ttlMs: 5000, remainingMs: 3000 },
      { id: 1n, ttlMs: 5000 },
    );
    await desk.renewal(-1n);
    expect([-1n, -2n, 1n].map((id) => desk.keeper.remainingMs(id))).toEqual([5000, 3000, 5000]);
    const anew = new Desk({ id: -1n, ttlMs: 5000 });
    anew.time.advance(3749);
    expect(anew.expired).toEqual([]);
    anew.time.advance(1);
    expect(anew.expired).toHaveLength(1);
  });

  it('begins anew with each renewal', async () => {
    const desk = new Desk({ ttlMs: 5000 });
    for (let round = 0; round < 3; round += 1) {
      desk.time.advance(4000);
      expect((await desk.renewal(1n, 9n))()).toEqual([5000, null]);
    }
    expect(desk.keeper.remainingMs(1n)).toBe(5000);
    expect(desk.keeper.remainingMs(9n)).toBeNull();
    desk.time.advance(4999);
    expect(desk.expired).toEqual([]);
    desk.time.advance(1);
    expect(desk.expired).toHaveLength(1);
  });

  it('goes on when a grant is told of again', () => {
    const desk = new Desk({});
    desk.keeper.granted({ id: 1n, ttlMs: 5000 });
    desk.time.advance(4000);
    desk.keeper.granted({ id: 1n, ttlMs: 5000 });
    desk.time.advance(1000);
    expect(desk.expired).toHaveLength(1);
  });

  it('is not counted any more once a lease has ended, or its keeper', () => {
    const desk = new Desk({ id: 1n }, { id: 2n });
    desk.keeper.ended(1n);
    desk.time.advance(5000);
    expect(desk.expired.map(({ ids }) => ids)).toEqual([[2n]]);
    const other = new Desk({});
    other.keeper.stop();
    other.keeper.granted({ id: 7n, ttlMs: 5 });
    other.time.advance(10_000);
    expect([...other.expired, ...other.records]).toEqual([]);
  });

  it('go on, and end later, when their end is refused; nobody waits for it', async () => {
    const desk = new Desk({ id: 1n }, { id: 2n });
    let apply = (): void => undefined;
    desk.applied = new Promise((resolve) => (apply = resolve));
    desk.time.advance(5000);
    const renewal = await desk.renewal(1n);
    expect(renewal()).toBe('waits');
    apply();
    await desk.settled();
    expect(renewal()).toEqual([5000]);
    expect(desk.keeper.remainingMs(2n)).toBe(0);
    desk.time.advance(1000);
    expect(desk.expired.map(({ atMs, ids }) => [atMs, ids])).toEqual([
      [5000, [1n, 2n]],
      [6000, [2n]],
    ]);
  });

  it('end soon after, when others of their command ended and they were too many', async () => {
    const desk = new Desk({ id: 1n }, { id: 2n });
    let apply = (): void => undefined;
    desk.applied = new Promise((resolve) => (apply = resolve));
    desk.time.advance(5000);
    desk.keeper.ended(1n);
    apply();
    await desk.settled();
    desk.time.advance(100);
    expect(desk.expired.map(({ atMs, ids }) => [atMs, ids])).toEqual([
      [5000, [1n, 2n]],
      [5100, [2n]],
    ]);
  });

  it('that has run out is tried again when the end is not taken', () => {
    const desk = new Desk({});
    desk.takes = false;
    desk.time.advance(5000);
    desk.time.advance(150);
    expect(desk.expired.map(({ atMs }) => atMs)).toEqual([5000, 5100]);
    desk.takes = true;
    desk.time.advance(1000);
    expect(desk.expired).toHaveLength(3);
  });

  it('of many ends in commands of bounded size', () => {
    const many = Array.from({ length: 600 }, (_, at) => ({ id: BigInt(at + 1), ttlMs: 400 }));
    const desk = new Desk(...many);
    desk.time.advance(400);
    expect(desk.expired.map(({ ids }) => ids.length)).toEqual([256, 256, 88]);
    expect(new Set(desk.expired.flatMap(({ ids }) => ids)).size).toBe(600);
    for (const { leases } of desk.records) expect(leases.length).toBeLessThanOrEqual(256);
  });

  it('is a second longer, or its TTL, once, when it ran out while the process stood still', async () => {
    const desk = new Desk({ id: 1n, ttlMs: 5000 }, { id: 2n, ttlMs: 400 });
    /* Timers come when they can: the first is the record of the second lease. */
    desk.skippedMs = 60_000;
    desk.time.advance(180);
    expect(desk.expired).toEqual([]);
    desk.skippedMs = 120_000;
    desk.time.advance(400);
    expect(desk.expired.map(({ ids }) => ids)).toEqual([[1n, 2n]]);
    const renewed = new Desk({ id: 1n, ttlMs: 400 });
    for (const skippedMs of [60_000, 120_000, 180_000]) {
      renewed.skippedMs = skippedMs;
      renewed.time.advance(390);
      expect(renewed.expired).toEqual([]);
      await renewed.renewal(1n);
    }
  });
});

describe('a renewal while the end is under way', () => {
  it('waits for it, and finds the lease gone', async () => {
    const desk = new Desk({ id: 1n }, { id: 2n, ttlMs: 60_000 });
    desk.time.advance(5000);
    const state = await desk.renewal(2n, 1n);
    expect(state()).toBe('waits');
    desk.keeper.ended(1n);
    await desk.settled();
    expect(state()).toEqual([60_000, null]);
  });

  it('fails when this node does not lead any more', async () => {
    const desk = new Desk({});
    desk.time.advance(5000);
    const state = await desk.renewal(1n);
    desk.keeper.stop();
    await desk.settled();
    expect(state()).toBe('fails');
  });
});

describe('what is left', () => {
  it('is recorded before half of the time has passed, and not of what is renewed', async () => {
    const desk = new Desk({ id: 1n, ttlMs: 10_000 }).aged();
    desk.keeper.granted({ id: 2n, ttlMs: 12_000 });
    desk.keeper.granted({ id: 3n, ttlMs: 12_000 });
    for (let left = 3; left > 0; left -= 1) {
      desk.time.advance(4000);
      await desk.renewal(3n);
    }
    expect(desk.records.flatMap(({ leases }) => leases.map(({ id }) => id))).toEqual([2n, 2n]);
    const [first, second] = desk.records;
    expect(first!.atMs - 1_000_000).toBeLessThan(6000);
    expect(first!.leases[0]!.remainingMs).toBe(12_000 - (first!.atMs - 1_000_000));
    expect(second!.atMs - first!.atMs).toBeLessThan(6000);
  });

  it('is recorded every minute of a long time', () => {
    const desk = new Desk({}).aged();
    desk.keeper.granted({ id: 2n, ttlMs: 86_400_000 });
    desk.time.advance(600_000);
    expect(desk.records.length).toBeGreaterThanOrEqual(10);
    expect(desk.records.length).toBeLessThanOrEqual(11);
  });

  it('is recorded early, then ever more seldom, by a leader that is new', () => {
    const desk = new Desk({ ttlMs: 100_000 });
    desk.time.advance(20_000);
    const at = desk.records.map(({ atMs }) => atMs);
    expect(at[0]).toBeLessThanOrEqual(500);
    for (const [place, ms] of at.entries()) {
      const before = at[place - 1] ?? 0;
      expect(ms - before).toBeLessThanOrEqual(Math.max(500, before));
    }
    expect(at.length).toBeLessThan(12);
  });

  it('is taken back before a renewal holds', async () => {
    const desk = new Desk({ id: 1n, ttlMs: 10_000, remainingMs: 3000 });
    desk.held = [];
    const state = await desk.renewal(1n);
    expect(state()).toBe('waits');
    expect(desk.records).toEqual([{ atMs: 0, leases: [{ id: 1n, remainingMs: 0 }] }]);
    desk.held.shift()?.resolve();
    await desk.settled();
    expect(state()).toEqual([10_000]);
    expect((await desk.renewal(1n))()).toEqual([10_000]);
    expect(desk.records).toHaveLength(1);
  });

  it('is taken back too when its record is not applied yet', async () => {
    const desk = new Desk({ id: 1n, ttlMs: 10_000 }).aged();
    desk.keeper.granted({ id: 2n, ttlMs: 10_000 });
    desk.held = [];
    desk.time.advance(4600);
    expect(desk.records).toHaveLength(1);
    const state = await desk.renewal(2n);
    expect(desk.records).toHaveLength(2);
    expect(desk.records[1]).toMatchObject({ leases: [{ id: 2n, remainingMs: 0 }] });
    desk.held[1]?.resolve();
    await desk.settled();
    expect(state()).toEqual([10_000]);
  });

  it('is taken back again when it was recorded anew meanwhile', async () => {
    const desk = new Desk({ id: 1n, ttlMs: 10_000, remainingMs: 3000 }).aged();
    const lease = new Desk({ id: 1n, ttlMs: 10_000, remainingMs: 9000 });
    lease.held = [];
    const first = await lease.renewal(1n);
    lease.time.advance(5000);
    expect(lease.records.length).toBeGreaterThan(1);
    lease.held[0]?.resolve();
    await lease.settled();
    expect(first()).toEqual([10_000]);
    const before = lease.records.length;
    await lease.renewal(1n);
    expect(lease.records.slice(before)).toMatchObject([{ leases: [{ id: 1n, remainingMs: 0 }] }]);
    expect(desk.expired.length).toBeGreaterThan(0);
  });

  it('leaves a renewal failed when it cannot be taken back', async () => {
    const desk = new Desk({ id: 1n, ttlMs: 10_000, remainingMs: 3000 });
    desk.held = [];
    const state = await desk.renewal(1n);
    desk.held.shift()?.reject(new Error('lost'));
    await desk.settled();
    expect(state()).toBe('fails');
  });
});
