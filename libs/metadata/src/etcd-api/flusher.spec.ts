import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Flusher } from './flusher.js';

const nextTick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

describe('writing for many streams', () => {
  it('happens once for all that came together, soon', async () => {
    const flusher = new Flusher();
    let flushed = 0;
    const stream = { flush: () => (flushed += 1) };
    flusher.schedule(stream);
    flusher.schedule(stream);
    expect(flushed).toBe(0);
    await nextTick();
    expect(flushed).toBe(1);
    flusher.schedule(stream);
    await nextTick();
    expect(flushed).toBe(2);
  });

  it.each([
    ['many', 100, 1000],
    ['large', 500_000, 10],
  ])('gives the event loop its turns when they are %s', async (_, bytes, streams) => {
    const flusher = new Flusher();
    let flushed = 0;
    for (let at = 0; at < streams; at += 1) {
      flusher.schedule({
        flush: () => {
          flushed += 1;
          return bytes;
        },
      });
    }
    let turns = 0;
    await nextTick();
    for (; flushed < streams; turns += 1) {
      expect(flushed).toBeLessThan(streams);
      await turn();
    }
    expect(turns).toBeGreaterThanOrEqual(3);
    expect(turns).toBeLessThan(streams / 2);
  });
});
