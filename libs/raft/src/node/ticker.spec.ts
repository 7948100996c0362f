import { ManualTime, seededRng } from '@pawl/kernel';
import type { Timer } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { Ticker } from './ticker.js';

const EVERY_MS = 25;

/** Time whose callbacks come late, each by what `lateMs` says then; below 0: early. */
class LateTime implements Timer {
  readonly time = new ManualTime(1000);
  readonly at: number[] = [];
  lateMs = (): number => 0;
  readonly ticker = new Ticker({
    clock: this.time,
    timer: this,
    everyMs: EVERY_MS,
    onTick: () => this.at.push(this.time.monotonicMs() - 1000),
  });

  after(delayMs: number, callback: () => void) {
    return this.time.after(delayMs + this.lateMs(), callback);
  }
}

describe('a ticker', () => {
  it('does not drift when every callback is late', () => {
    const late = new LateTime();
    const rng = seededRng(1);
    late.lateMs = () => 1 + rng.below(4);
    late.time.advance(1000 * EVERY_MS + 5);
    expect(late.at).toHaveLength(1000);
    late.at.forEach((at, tick) => {
      expect(at).toBeGreaterThanOrEqual((tick + 1) * EVERY_MS);
      expect(at).toBeLessThan((tick + 1) * EVERY_MS + 5);
    });
  });

  it('does not tick twice when a callback is early', () => {
    const early = new LateTime();
    early.lateMs = () => -0.7;
    early.time.advance(1000 * EVERY_MS);
    expect(early.at).toHaveLength(1000);
    expect(early.at.at(-1)).toBeGreaterThan(1000 * EVERY_MS - 1);
  });

  it('drops what it missed in a pause, and is on the grid again', () => {
    const paused = new LateTime();
    paused.time.advance(2 * EVERY_MS - 1);
    paused.lateMs = () => {
      paused.lateMs = () => 0;
      return 40 * EVERY_MS + 10;
    };
    paused.time.advance(45 * EVERY_MS);
    expect(paused.at.map((at) => at / EVERY_MS)).toEqual([1, 2, 43.4, 44, 45, 46]);
  });

  it('does not tick once it is stopped', () => {
    const { time, at, ticker } = new LateTime();
    time.advance(EVERY_MS);
    ticker.stop();
    time.advance(10 * EVERY_MS);
    expect(at).toEqual([EVERY_MS]);
  });
});
