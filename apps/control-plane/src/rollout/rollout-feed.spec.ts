import { address } from '@pawl/contracts';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeConfigEngine, idleRollout } from '../testing/fake-config-engine.js';
import {
  COALESCE_MS,
  IDLE_MS,
  RolloutFeed,
  type RolloutEvent,
  type RolloutListener,
} from './rollout-feed.js';

const at = address('acme/shop');
let engine: FakeConfigEngine;
let closed: number;
let feed: RolloutFeed;

/** Somebody who joined the feed and remembers what came. */
class Listener implements RolloutListener {
  readonly events: RolloutEvent[] = [];
  idles = 0;
  ends = 0;

  deliver(event: RolloutEvent): void {
    this.events.push(event);
  }
  idle(): void {
    this.idles += 1;
  }
  end(): void {
    this.ends += 1;
  }
}

function listener(): Listener {
  const joined = new Listener();
  feed.join(joined);
  return joined;
}

const versions = (events: readonly RolloutEvent[]): unknown[] =>
  events.map(
    ({ data }) => (JSON.parse(data) as { published: { version: number } }).published.version,
  );
const reads = (): number => engine.calls.filter(({ name }) => name === 'getRollout').length;

beforeEach(() => {
  vi.useFakeTimers();
  engine = new FakeConfigEngine();
  closed = 0;
  feed = new RolloutFeed(engine, at, () => (closed += 1));
});
afterEach(() => {
  feed.close();
  vi.useRealTimers();
});

describe('RolloutFeed', () => {
  it('delivers the first state at once', async () => {
    const heard = listener();
    expect(await feed.ready).toBeNull();
    expect(versions(heard.events)).toEqual([1]);
  });

  it('makes one event of many changes, with the newest state', async () => {
    const heard = listener();
    await feed.ready;
    for (let version = 2; version <= 50; version += 1) {
      engine.changeRollout(idleRollout('acme/shop', version));
    }
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(versions(heard.events)).toEqual([1, 50]);
    expect(reads()).toBe(2);
  });

  it('reads once for many listeners', async () => {
    const all = Array.from({ length: 100 }, listener);
    await feed.ready;
    engine.changeRollout(idleRollout('acme/shop', 2));
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(all.every(({ events }) => events.length === 2)).toBe(true);
    expect(reads()).toBe(2);
  });

  it('gives ids that only grow', async () => {
    const heard = listener();
    await feed.ready;
    vi.setSystemTime(0);
    engine.changeRollout(idleRollout('acme/shop', 2));
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    const [first, second] = heard.events;
    expect(second?.id).toBe((first?.id ?? 0) + 1);
  });

  it('is silent about a change that reads the same', async () => {
    const heard = listener();
    await feed.ready;
    engine.changeRollout(idleRollout('acme/shop', 1));
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    expect(reads()).toBe(2);
    expect(heard.events).toHaveLength(1);
  });

  it('signals that nothing is new, and reads again what time alone may have changed', async () => {
    const heard = listener();
    await feed.ready;
    engine.rollout = idleRollout('acme/shop', 7);
    await vi.advanceTimersByTimeAsync(IDLE_MS + COALESCE_MS);
    expect(heard.idles).toBe(1);
    expect(versions(heard.events)).toEqual([1, 7]);
  });

  it('signals that nothing is new every 15 s, as is promised', async () => {
    const heard = listener();
    await feed.ready;
    await vi.advanceTimersByTimeAsync(14_999);
    expect(heard.idles).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(heard.idles).toBe(1);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(heard.idles).toBe(3);
  });

  it('misses no change that comes while it reads', async () => {
    const heard = listener();
    await feed.ready;
    const read = engine.getRollout.bind(engine);
    engine.getRollout = async (of) => {
      const answer = await read(of);
      engine.getRollout = read;
      engine.changeRollout(idleRollout('acme/shop', 3));
      return answer;
    };
    engine.changeRollout(idleRollout('acme/shop', 2));
    await vi.advanceTimersByTimeAsync(3 * COALESCE_MS);
    expect(versions(heard.events)).toEqual([1, 2, 3]);
  });

  it('ends for all when the rollout cannot be read any more', async () => {
    const heard = listener();
    await feed.ready;
    engine.fail = new Error('gone');
    engine.changeRollout(idleRollout('acme/shop', 2));
    await vi.advanceTimersByTimeAsync(COALESCE_MS);
    engine.fail = undefined;
    expect(heard.ends).toBe(1);
    expect([closed, engine.watchersOf('acme/shop'), vi.getTimerCount()]).toEqual([1, 0, 0]);
  });

  it('stops watching when the last listener leaves', async () => {
    const heard = listener();
    await feed.ready;
    feed.leave(heard);
    expect(heard.ends).toBe(0);
    expect([closed, engine.watchersOf('acme/shop'), vi.getTimerCount()]).toEqual([1, 0, 0]);
  });
});

describe('a feed that never comes to read', () => {
  it('says why', async () => {
    const other = new RolloutFeed(engine, address('acme/other'), () => undefined);
    expect(await other.ready).toMatchObject({ code: 'not-found' });
  });

  it('says so when it is closed meanwhile', async () => {
    const other = new RolloutFeed(engine, at, () => undefined);
    other.close();
    expect(await other.ready).toMatchObject({ code: 'no-owner' });
  });
});
