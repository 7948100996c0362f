import { ManualTime, seededRng } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { Barriers } from './barriers.js';

const LOST_AFTER = 4;

/** Barriers over a core of the test's making: what was asked of it, and whether it answers. */
class Core {
  readonly time = new ManualTime();
  readonly asked: number[] = [];
  leads = true;
  readonly barriers: Barriers;

  constructor(seed = 1, limit = 100) {
    this.barriers = new Barriers({
      timer: this.time,
      rng: seededRng(seed),
      read: (id) => this.leads && this.asked.push(id) > 0,
      lostAfterTicks: LOST_AFTER,
      limit,
    });
  }

  /** What became of a caller. */
  wait(deadlineMs = 1000): { outcome: string } {
    const caller = { outcome: 'waits' };
    this.barriers.wait(deadlineMs).then(
      () => (caller.outcome = 'passed'),
      (error: Error) => (caller.outcome = error.message),
    );
    return caller;
  }

  /** Confirms the newest read. */
  confirm(index: number): void {
    this.barriers.confirmed(this.asked.at(-1)!, index);
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('barriers', () => {
  it('share one read when they come before it is asked for, and pass when it is applied', async () => {
    const core = new Core();
    const two = [core.wait(), core.wait()];
    core.barriers.ask();
    core.barriers.ask();
    expect(core.asked).toHaveLength(1);
    core.confirm(7);
    core.barriers.applied(6);
    await settle();
    expect(two.map(({ outcome }) => outcome)).toEqual(['waits', 'waits']);
    core.barriers.applied(7);
    await settle();
    expect(two.map(({ outcome }) => outcome)).toEqual(['passed', 'passed']);
  });

  it('that come later wait for a read of their own', async () => {
    const core = new Core();
    core.wait();
    core.barriers.ask();
    const later = core.wait();
    core.confirm(7);
    core.barriers.applied(9);
    core.barriers.ask();
    await settle();
    expect(later.outcome).toBe('waits');
    expect(new Set(core.asked).size).toBe(2);
    core.confirm(9);
    core.barriers.applied(9);
    await settle();
    expect(later.outcome).toBe('passed');
  });

  it('wait for somebody to lead', () => {
    const core = new Core();
    core.leads = false;
    core.wait();
    core.barriers.ask();
    expect(core.asked).toEqual([]);
    core.leads = true;
    core.barriers.ask();
    expect(core.asked).toHaveLength(1);
  });

  it.each([
    [
      'after a time without an answer',
      (core: Core) => {
        for (let tick = 0; tick < LOST_AFTER; tick += 1) core.barriers.tick();
      },
    ],
    ['at once when the leader is another', (core: Core) => core.barriers.leaderChanged()],
  ])('are asked for anew %s, under another id; the old answer is nobody’s', async (_, lose) => {
    const core = new Core();
    const caller = core.wait();
    core.barriers.ask();
    const [old] = core.asked;
    lose(core);
    core.barriers.ask();
    expect(core.asked).toHaveLength(2);
    expect(core.asked[1]).not.toBe(old);
    core.barriers.confirmed(old!, 1);
    core.barriers.applied(100);
    await settle();
    expect(caller.outcome).toBe('waits');
    core.confirm(5);
    core.barriers.applied(100);
    await settle();
    expect(caller.outcome).toBe('passed');
  });

  it('are asked under ids that no earlier process used', () => {
    const ids = [1, 2, 3].map((seed) => {
      const core = new Core(seed);
      core.wait();
      core.barriers.ask();
      return core.asked[0]!;
    });
    expect(new Set(ids.map((id) => Math.floor(id / 2 ** 32))).size).toBe(3);
    expect(ids.every(Number.isSafeInteger)).toBe(true);
  });

  it('reject at their deadline, wherever they wait, and not before', async () => {
    const core = new Core();
    const confirmed = core.wait(100);
    core.barriers.ask();
    core.confirm(7);
    const asked = core.wait(100);
    core.barriers.ask();
    const unasked = core.wait(100);
    const callers = [confirmed, asked, unasked];
    core.time.advance(99);
    await settle();
    expect(callers.map(({ outcome }) => outcome)).toEqual(['waits', 'waits', 'waits']);
    core.time.advance(1);
    await settle();
    for (const { outcome } of callers) expect(outcome).toMatch(/within 100 ms/);
    core.confirm(7);
    core.barriers.applied(7);
  });

  it('all reject when the node stops, and are bounded in number', async () => {
    const core = new Core(1, 2);
    const callers = [core.wait(), core.wait(), core.wait()];
    await settle();
    expect(callers[2]!.outcome).toBe('more than 2 reads wait');
    core.barriers.ask();
    core.barriers.rejectAll(new Error('stopped'));
    await settle();
    expect(callers.slice(0, 2).map(({ outcome }) => outcome)).toEqual(['stopped', 'stopped']);
    core.wait();
    core.wait();
    core.time.advance(10_000);
  });
});
