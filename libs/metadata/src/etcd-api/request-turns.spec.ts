import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RequestTurns } from './request-turns.js';

/** A stream with requests at hand, which takes them as long as it may. */
class Stream {
  went = 0;

  constructor(
    private readonly turns: RequestTurns,
    public left: number,
  ) {}

  goOn(): void {
    this.went += 1;
    while (this.left > 0) {
      this.left -= 1;
      this.turns.taken(this);
      if (this.turns.waits(this)) return;
    }
  }
}

const sum = (streams: readonly Stream[]): number =>
  streams.reduce((all, { left }) => all + left, 0);

describe('requests that come faster than they are dealt with', () => {
  it('are all taken, a bounded number in each turn of the event loop', async () => {
    const turns = new RequestTurns();
    const streams = Array.from({ length: 100 }, () => new Stream(turns, 500));
    for (const stream of streams) stream.goOn();
    let before = 50_000;
    for (let left = sum(streams); left > 0; left = sum(streams)) {
      expect(before - left).toBeGreaterThan(0);
      expect(before - left).toBeLessThanOrEqual(256);
      before = left;
      await turn();
    }
  });

  it('come to their turn one stream after the other', async () => {
    const turns = new RequestTurns();
    const endless = Array.from({ length: 40 }, () => new Stream(turns, Infinity));
    for (const stream of endless) stream.goOn();
    for (let at = 0; at < 40; at += 1) await turn();
    const went = endless.map((stream) => stream.went);
    expect(Math.max(...went) - Math.min(...went)).toBeLessThanOrEqual(1);
  });

  it('of a stream that ended are not waited for', async () => {
    const turns = new RequestTurns();
    const stream = new Stream(turns, Infinity);
    stream.goOn();
    turns.forget(stream);
    await turn();
    await turn();
    expect(stream.went).toBe(1);
  });
});
