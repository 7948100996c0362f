import { describe, expect, it } from 'vitest';
import type { WatchHandle, WatchSink } from '../coordination.port.js';
import { WatchCompactedError } from '../metadata-store.port.js';
import { MetadataState, NO_LEASE, prefixRange } from '../state/index.js';
import type { Operation, Revision, RevisionEvents } from '../state/index.js';
import { bytesToText, textToBytes } from '../text.js';
import { WatchHub } from './watch-hub.js';
import type { WatchHubOptions } from './watch-hub.js';

const everything = prefixRange(textToBytes(''));
const prefix = (text: string) => prefixRange(textToBytes(text));
const single = (text: string) => ({ key: textToBytes(text) });
const put = (key: string, value = ''): Operation => ({
  kind: 'put',
  key: textToBytes(key),
  value: textToBytes(value),
  lease: NO_LEASE,
});

/** A state with a hub whose turns the test gives. */
class Bench {
  readonly state = new MetadataState();
  readonly hub: WatchHub;
  #tasks: (() => void)[] = [];
  #index = 0;

  constructor(options: Partial<WatchHubOptions> = {}) {
    this.hub = new WatchHub(this.state, {
      maxWatches: 1_000_000,
      defer: (task) => this.#tasks.push(task),
      ...options,
    });
  }

  write(...success: Operation[]): Revision {
    const txn = { kind: 'txn', compare: [], success, failure: [] } as const;
    return this.#apply(txn);
  }

  compact(revision: Revision): void {
    this.#apply({ kind: 'compact', revision });
  }

  #apply(command: Parameters<MetadataState['apply']>[0]): Revision {
    this.#index += 1;
    const result = this.state.apply(command, { index: this.#index, term: 1 });
    expect(result.kind).not.toBe('refused');
    this.hub.applied();
    return result.revision;
  }

  /** One turn; answers whether there was anything to do. */
  turn(): boolean {
    const tasks = this.#tasks;
    this.#tasks = [];
    for (const task of tasks) task();
    return tasks.length > 0;
  }

  settle(): number {
    let turns = 0;
    while (this.turn()) turns += 1;
    return turns;
  }
}

/** Writes down what it is told, and refuses as told. */
class Recorder implements WatchSink {
  readonly told: string[] = [];
  readonly changes: RevisionEvents[] = [];
  refusing = false;

  events(changes: RevisionEvents): boolean {
    if (this.refusing) return false;
    this.changes.push(changes);
    const keys = changes.events.map(({ kv }) => bytesToText(kv.key));
    this.told.push(`${changes.revision} ${keys.join(',')}`);
    return true;
  }

  compacted(compactRevision: Revision): void {
    this.told.push(`compacted ${compactRevision}`);
  }

  failed(error: Error): void {
    this.told.push(`failed ${error.message}`);
  }
}

describe('synced watches', () => {
  it('are told of what changes in their ranges, whole revisions, and nothing else', () => {
    const bench = new Bench();
    const [one, two, all] = [new Recorder(), new Recorder(), new Recorder()];
    bench.hub.observe(single('a'), one);
    bench.hub.observe(prefix('a'), two);
    bench.hub.observe(everything, all);
    bench.write(put('a'), put('b'), put('ab'));
    bench.write(put('b'));
    bench.write({ kind: 'delete', ...prefix('a') });
    bench.settle();
    expect(one.told).toEqual(['2 a', '4 a']);
    expect(two.told).toEqual(['2 a,ab', '4 a,ab']);
    expect(all.told).toEqual(['2 a,b,ab', '3 b', '4 a,ab']);
    expect(all.changes[2]?.events[0]).toMatchObject({ kind: 'delete', previous: { version: 1 } });
  });

  it('of equal ranges are told the same object, so that it is prepared once', () => {
    const bench = new Bench();
    const sinks = Array.from({ length: 3 }, () => new Recorder());
    for (const sink of sinks) bench.hub.observe(prefix('a'), sink);
    bench.write(put('a'), put('b'));
    bench.settle();
    expect(sinks[0]?.changes[0]?.events).toHaveLength(1);
    expect(new Set(sinks.map(({ changes }) => changes[0])).size).toBe(1);
  });

  it('are told in turns of bounded work, while writing goes on, each in order', () => {
    const bench = new Bench();
    const sinks = Array.from({ length: 10_000 }, () => new Recorder());
    for (const sink of sinks) bench.hub.observe(single('k'), sink);
    bench.settle();
    bench.write(put('k'));
    bench.turn();
    const told = sinks.filter((sink) => sink.told.length > 0).length;
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(5000);
    bench.write(put('k'));
    const late = new Recorder();
    const handle = bench.hub.observe({ ...single('k'), fromRevision: 2 }, late);
    bench.settle();
    for (const sink of [...sinks, late]) expect(sink.told).toEqual(['2 k', '3 k']);
    expect(handle.next).toBe(4);
  });

  it('miss nothing when history goes in the same turn in which it was made', () => {
    const bench = new Bench();
    const [sink, idle] = [new Recorder(), new Recorder()];
    bench.hub.observe(single('k'), sink);
    bench.hub.observe(single('idle'), idle);
    for (let at = 2; at <= 5; at += 1) bench.write(put('k'));
    bench.compact(5);
    bench.write(put('k'));
    bench.settle();
    expect(sink.told).toEqual(['2 k', '3 k', '4 k', '5 k', '6 k']);
    expect(idle.told).toEqual([]);
  });

  it('end as compacted when so much is compacted at once that it was not kept', () => {
    const bench = new Bench();
    const [sink, later] = [new Recorder(), new Recorder()];
    bench.hub.observe(single('k'), sink);
    bench.hub.observe({ ...single('k'), fromRevision: 1500 }, later);
    for (let at = 2; at <= 1500; at += 1) bench.write(put('k'));
    bench.compact(1400);
    bench.settle();
    expect(sink.told.slice(0, -1)).toEqual(Array.from({ length: 1024 }, (_, at) => `${at + 2} k`));
    expect(sink.told.at(-1)).toBe('compacted 1400');
    expect(later.told).toEqual(['1500 k']);
  });

  it('begin with what comes after they were opened, or later if told so', () => {
    const bench = new Bench();
    bench.write(put('k'));
    const [next, future] = [new Recorder(), new Recorder()];
    bench.write(put('k'));
    bench.hub.observe(single('k'), next);
    const handle = bench.hub.observe({ ...single('k'), fromRevision: 6 }, future);
    for (let at = 0; at < 4; at += 1) bench.write(put('k'));
    bench.settle();
    expect(next.told).toEqual(['4 k', '5 k', '6 k', '7 k']);
    expect(future.told).toEqual(['6 k', '7 k']);
    expect(handle.next).toBe(8);
  });

  it('from below 0 begin with the first of all', () => {
    const bench = new Bench();
    for (let at = 2; at <= 4; at += 1) bench.write(put('k'));
    const [early, late] = [new Recorder(), new Recorder()];
    bench.hub.observe({ ...single('k'), fromRevision: -1 }, early);
    bench.settle();
    expect(early.told).toEqual(['2 k', '3 k', '4 k']);
    bench.compact(3);
    bench.hub.observe({ ...single('k'), fromRevision: -1 }, late);
    bench.settle();
    expect(late.told).toEqual(['compacted 3']);
  });

  it('know how far they are when nothing concerns them, never further than was told', () => {
    const bench = new Bench();
    const handle = bench.hub.observe(single('quiet'), new Recorder());
    expect(handle.next).toBe(2);
    bench.write(put('k'));
    expect(handle.next).toBe(2);
    bench.settle();
    expect(handle.next).toBe(3);
  });

  it('are not called once closed, also by themselves or one another', () => {
    const bench = new Bench();
    const handles: WatchHandle[] = [];
    const sink = new Recorder();
    const closing: WatchSink = {
      ...{ compacted: () => undefined, failed: () => undefined },
      events: () => {
        for (const handle of handles) handle.close();
        return true;
      },
    };
    handles.push(bench.hub.observe(single('k'), closing), bench.hub.observe(single('k'), sink));
    bench.write(put('k'));
    bench.settle();
    expect(sink.told).toEqual([]);
    expect(bench.hub.size).toBe(0);
    handles[0]?.close();
    handles[1]?.resume();
    bench.write(put('k'));
    expect(bench.settle()).toBe(0);
  });
});

describe('watches that are behind', () => {
  it('read what they missed, then go on with the others', () => {
    const bench = new Bench();
    for (let at = 0; at < 1000; at += 1) bench.write(put(`k${at % 2}`));
    const sink = new Recorder();
    const handle = bench.hub.observe({ ...single('k1'), fromRevision: 900 }, sink);
    bench.settle();
    expect(sink.told).toHaveLength(51);
    expect(handle.next).toBe(1002);
    bench.write(put('k1'));
    bench.settle();
    expect(sink.told.slice(-2)).toEqual(['1001 k1', '1002 k1']);
  });

  it('catch up in turns, and delay nobody', () => {
    const bench = new Bench();
    for (let at = 0; at < 3000; at += 1) bench.write(put(`k${at}`));
    const slow = Array.from({ length: 20 }, () => new Recorder());
    for (const sink of slow) bench.hub.observe({ ...everything, fromRevision: 2 }, sink);
    const quick = new Recorder();
    bench.hub.observe(single('now'), quick);
    bench.write(put('now'));
    bench.turn();
    expect(quick.told).toEqual(['3002 now']);
    const reached = slow.map(({ told }) => told.length);
    expect(Math.max(...reached)).toBeLessThan(1000);
    expect(bench.settle()).toBeGreaterThan(5);
    for (const sink of slow) expect(sink.told).toHaveLength(3001);
  });

  it('whose sink refuses wait without work, and go on from there when resumed', () => {
    const bench = new Bench();
    const [slow, quick] = [new Recorder(), new Recorder()];
    const handle = bench.hub.observe(single('k'), slow);
    bench.hub.observe(single('k'), quick);
    slow.refusing = true;
    for (let at = 0; at < 5; at += 1) bench.write(put('k'));
    bench.settle();
    expect(quick.told).toHaveLength(5);
    expect([slow.told, handle.next]).toEqual([[], 2]);
    expect(bench.settle()).toBe(0);
    handle.resume();
    bench.settle();
    slow.refusing = false;
    expect(slow.told).toEqual([]);
    handle.resume();
    bench.write(put('k'));
    bench.settle();
    expect(slow.told).toEqual(quick.told);
  });

  it('or resume while their revision is told to others miss nothing of it', () => {
    const bench = new Bench({ toldPerTurn: 1 });
    const [first, second, third] = [new Recorder(), new Recorder(), new Recorder()];
    first.refusing = true;
    const handle = bench.hub.observe(single('a'), first);
    bench.hub.observe(single('b'), second);
    bench.write(put('a'), put('b'));
    bench.turn();
    expect([first.told, second.told]).toEqual([[], []]);
    first.refusing = false;
    handle.resume();
    bench.hub.observe({ ...prefix('a'), fromRevision: 2 }, third);
    bench.settle();
    expect([first.told, second.told, third.told]).toEqual([['2 a'], ['2 b'], ['2 a']]);
  });

  it('end when what comes next was compacted, and only then', () => {
    const bench = new Bench();
    for (let at = 2; at <= 10; at += 1) bench.write(put('k'));
    bench.compact(6);
    const [before, at] = [new Recorder(), new Recorder()];
    bench.hub.observe({ ...single('k'), fromRevision: 5 }, before);
    bench.hub.observe({ ...single('k'), fromRevision: 6 }, at);
    expect(before.told).toEqual([]);
    bench.settle();
    expect(before.told).toEqual(['compacted 6']);
    expect(at.told[0]).toBe('6 k');
    expect(bench.hub.size).toBe(1);
  });

  it('see the deletion that the compaction revision made', () => {
    const bench = new Bench();
    bench.write(put('k'));
    bench.write({ kind: 'delete', ...single('k') });
    bench.compact(3);
    const sink = new Recorder();
    bench.hub.observe({ ...single('k'), fromRevision: 3 }, sink);
    bench.settle();
    expect(sink.told).toEqual(['3 k']);
  });

  it('may begin beyond what was compacted', () => {
    const bench = new Bench();
    const [now, later] = [new Recorder(), new Recorder()];
    now.refusing = true;
    const handle = bench.hub.observe(single('k'), now);
    bench.hub.observe({ ...single('k'), fromRevision: 5 }, later);
    for (let at = 2; at <= 5; at += 1) bench.write(put('k'));
    bench.settle();
    bench.compact(4);
    handle.resume();
    bench.settle();
    expect(now.told).toEqual(['compacted 4']);
    expect(later.told).toEqual(['5 k']);
  });

  it('go on over a state that was replaced by a later one', () => {
    const [bench, other] = [new Bench(), new Bench()];
    const sink = new Recorder();
    bench.hub.observe(single('k'), sink);
    bench.write(put('k'));
    bench.settle();
    for (let at = 0; at < 5; at += 1) other.write(put('k'));
    bench.state.restore(other.state.snapshot());
    bench.hub.applied();
    bench.settle();
    expect(sink.told).toEqual(['2 k', '3 k', '4 k', '5 k', '6 k']);
    for (let at = 0; at < 5; at += 1) other.write(put('k'));
    other.compact(9);
    bench.state.restore(other.state.snapshot());
    bench.hub.applied();
    bench.settle();
    expect(sink.told.at(-1)).toBe('compacted 9');
  });
});

describe('all watches', () => {
  it('end with an error when the store goes away', () => {
    const bench = new Bench();
    const [synced, behind, refused] = [new Recorder(), new Recorder(), new Recorder()];
    bench.write(put('k'));
    refused.refusing = true;
    bench.hub.observe({ ...single('k'), fromRevision: 2 }, refused);
    bench.settle();
    bench.hub.observe(single('k'), synced);
    bench.hub.observe({ ...single('k'), fromRevision: 2 }, behind);
    bench.hub.fail(new Error('gone'));
    bench.write(put('k'));
    bench.settle();
    for (const sink of [synced, behind, refused]) expect(sink.told).toEqual(['failed gone']);
    expect(bench.hub.size).toBe(0);
  });

  it('are bounded in number', () => {
    const bench = new Bench({ maxWatches: 2 });
    const watches = [bench.hub.watch(everything), bench.hub.watch(everything)];
    expect(() => bench.hub.watch(everything)).toThrow(/more than 2 watches/);
    watches[0]?.close();
    bench.hub.watch(everything);
  });
});

describe('watches that are iterated', () => {
  it('give each revision to a reader that is slow, then wait for the next', async () => {
    const bench = new Bench();
    const watch = bench.hub.watch({ ...single('k'), fromRevision: 2 });
    for (let at = 2; at <= 6; at += 1) bench.write(put('k'));
    bench.settle();
    const reader = watch[Symbol.asyncIterator]();
    for (let at = 2; at <= 7; at += 1) {
      const next = reader.next();
      if (at === 7) bench.write(put('k'));
      bench.settle();
      expect(await next).toMatchObject({ done: false, value: { revision: at } });
    }
  });

  it('end by closing, also while somebody reads', async () => {
    const bench = new Bench();
    const watch = bench.hub.watch(everything);
    const reader = watch[Symbol.asyncIterator]();
    const next = reader.next();
    watch.close();
    expect(await next).toEqual({ done: true, value: undefined });
    bench.write(put('k'));
    bench.settle();
    expect(await reader.next()).toEqual({ done: true, value: undefined });
    expect(bench.hub.size).toBe(0);
  });

  it('end with an error when history went, or the store', async () => {
    const bench = new Bench();
    const [slow, live] = [bench.hub.watch(everything), bench.hub.watch(single('quiet'))];
    const [slowReader, reader] = [slow[Symbol.asyncIterator](), live[Symbol.asyncIterator]()];
    bench.write(put('k'));
    bench.settle();
    for (let at = 0; at < 5; at += 1) bench.write(put('k'));
    bench.compact(5);
    const gone = expect(slowReader.next()).rejects.toBeInstanceOf(WatchCompactedError);
    bench.settle();
    await gone;
    await expect(slowReader.next()).rejects.toBeInstanceOf(WatchCompactedError);
    const failed = expect(reader.next()).rejects.toThrow('gone');
    bench.hub.fail(new Error('gone'));
    await failed;
    await expect(reader.next()).rejects.toThrow('gone');
  });
});
