import { EventEmitter } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { NO_LEASE } from '../state/index.js';
import { systemTime } from '../testing/system-time.js';
import { ApiContext } from './api-context.js';
import type { FrameBatch } from './frame-writer.js';
import { DEFAULT_ETCD_LIMITS } from './limits.js';
import type { EtcdLimits } from './limits.js';
import type * as rpc from '../etcd-protocol/messages.js';
import { etcdServices } from '../etcd-protocol/services.js';
import { openTestNode } from './test-node.fixture.js';
import type { TestNode } from './test-node.fixture.js';
import { toStoredKey } from './user-keys.js';
import { WatchShared } from './watch-shared.js';
import { WatchStream } from './watch-stream.js';
import type { WatchCall } from './watch-stream.js';

const { Watch } = etcdServices()['etcdserverpb.Watch'];
type Answer = rpc.Written<rpc.WatchResponse> & {
  watch_id: string;
  events: object[];
  fragment: boolean;
};
const bytes = (text: string): Buffer => Buffer.from(text);

/** Messages in what grpc-js makes of a batch. */
function messagesIn(batch: FrameBatch): Answer[] {
  const wire = Buffer.alloc(batch.byteLength + 5);
  batch.copy(wire, 5);
  const messages: Answer[] = [];
  for (let at = 0; at < wire.length;) {
    const end = at + 5 + wire.readUInt32BE(at + 1);
    expect(wire[at]).toBe(0);
    messages.push(Watch!.responseDeserialize(wire.subarray(at + 5, end)) as Answer);
    at = end;
  }
  return messages;
}

/** The client's side, which takes what it is sent when the test says so. */
class FakeCall extends EventEmitter implements WatchCall {
  readonly writes: Answer[][] = [];
  paused = 0;
  resumed = 0;
  taking = true;
  #done: (() => void)[] = [];

  write(batch: FrameBatch, done: () => void): void {
    expect(this.#done).toEqual([]);
    this.writes.push(messagesIn(batch));
    this.#done.push(done);
    if (this.taking) this.take();
  }

  take(): void {
    const done = this.#done;
    this.#done = [];
    for (const one of done) setImmediate(one);
  }

  pause(): void {
    this.paused += 1;
  }

  resume(): void {
    this.resumed += 1;
  }

  create(key: string, rest: object = {}): void {
    const request = Watch!.requestDeserialize(
      Watch!.requestSerialize({ create_request: { key: bytes(key), ...rest } }),
    ) as object;
    this.emit('data', request);
  }
}

const nodes: TestNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
});

async function open(limits: Partial<EtcdLimits> = {}) {
  const node = await openTestNode();
  nodes.push(node);
  const context = new ApiContext({
    node,
    limits: { ...DEFAULT_ETCD_LIMITS, ...limits },
    timer: systemTime,
    scheme: 'http',
    log: () => undefined,
  });
  let encoded = 0;
  const shared = new WatchShared(context, (response) => {
    if ((response.events ?? []).length > 0) encoded += 1;
    return Watch!.responseSerialize(response);
  });
  const stream = () => {
    const call = new FakeCall();
    // When the node is closed.
    call.on('error', () => undefined);
    new WatchStream(shared, call, () => undefined);
    return call;
  };
  const put = (...keys: string[]) => {
    const success = keys.map((key) => ({
      kind: 'put' as const,
      key: toStoredKey(bytes(key)),
      value: bytes('v'.repeat(100)),
      lease: NO_LEASE,
    }));
    return node.txn({ compare: [], success, failure: [] });
  };
  return { node, stream, put, encodedEvents: () => encoded };
}

/** Lets everything happen that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

describe('what a stream writes', () => {
  it('is one write for each change, however many watches it tells', async () => {
    const bench = await open();
    const call = bench.stream();
    for (let at = 0; at < 300; at += 1) call.create('k');
    for (let at = 0; at < 100; at += 1) call.create('k', { prev_kv: true });
    for (let at = 0; at < 50; at += 1) {
      call.create('', { range_end: bytes(String.fromCharCode(0x6c + at)) });
    }
    await settle();
    const opening = call.writes.length;
    await bench.put('k');
    await settle();
    await bench.put('k', 'a');
    await settle();
    expect(call.writes.slice(opening).map(({ length }) => length)).toEqual([450, 450]);
    const ids = call.writes.at(-1)?.map(({ watch_id }) => Number(watch_id));
    expect(ids?.sort((a, b) => a - b)).toEqual(Array.from({ length: 450 }, (_, at) => at));
  });

  it('is encoded once for all streams and watches that want the same', async () => {
    const bench = await open();
    const calls = Array.from({ length: 10 }, () => bench.stream());
    for (const call of calls) for (let at = 0; at < 20; at += 1) call.create('k');
    await settle();
    await bench.put('k');
    await settle();
    expect(bench.encodedEvents()).toBe(1);
    for (const call of calls) expect(call.writes.at(-1)).toHaveLength(20);
  });

  it('is written while an earlier write is under way only after it, all together', async () => {
    const bench = await open();
    const call = bench.stream();
    call.create('k');
    await settle();
    call.taking = false;
    for (let at = 0; at < 5; at += 1) {
      await bench.put('k');
      await settle();
    }
    expect(call.writes.slice(1).map(({ length }) => length)).toEqual([1]);
    call.taking = true;
    call.take();
    await settle();
    expect(call.writes.slice(1).map(({ length }) => length)).toEqual([1, 4]);
  });

  it('is cut into fragments where a watch asks for them and a change is large', async () => {
    const bench = await open({ fragmentBytes: 400 });
    const call = bench.stream();
    call.create('', { range_end: bytes('\0') });
    call.create('', { range_end: bytes('\0'), fragment: true });
    await settle();
    await bench.put('a', 'b', 'c', 'd', 'e');
    await bench.put('a');
    await settle();
    const answers = call.writes.flat();
    const of = (id: string) =>
      answers
        .filter(({ watch_id, events }) => watch_id === id && events.length > 0)
        .map(({ events, fragment }) => `${events.length}${fragment ? ' more' : ''}`);
    expect(of('0')).toEqual(['5', '1']);
    expect(of('1')).toEqual(['2 more', '2 more', '1', '1']);
  });
});

describe('a client that takes nothing', () => {
  it('holds bounded memory, delays nobody, and is told everything later', async () => {
    const bench = await open({ streamBufferBytes: 4000 });
    const [slow, quick] = [bench.stream(), bench.stream()];
    slow.create('k');
    slow.create('', { range_end: bytes('\0') });
    quick.create('k');
    await settle();
    slow.taking = false;
    for (let at = 0; at < 200; at += 1) await bench.put('k');
    await settle();
    const told = (call: FakeCall, id: string): number[] =>
      call.writes
        .flat()
        .filter(({ watch_id, events }) => watch_id === id && events.length > 0)
        .map(({ header }) => Number(header?.revision));
    const everything = Array.from({ length: 200 }, (_, at) => at + 2);
    expect(told(quick, '0')).toEqual(everything);
    expect(slow.writes.slice(1)).toHaveLength(1);
    slow.taking = true;
    slow.take();
    await settle();
    await settle();
    expect(told(slow, '0')).toEqual(everything);
    expect(told(slow, '1')).toEqual(everything);
  });

  it('ends where it was, once that is compacted, after what was already taken', async () => {
    const bench = await open({ streamBufferBytes: 2000 });
    const call = bench.stream();
    call.create('k');
    await settle();
    call.taking = false;
    for (let at = 0; at < 50; at += 1) await bench.put('k');
    await settle();
    await bench.node.compact(51);
    call.taking = true;
    call.take();
    await settle();
    const answers = call.writes.flat().slice(1);
    const last = answers.pop();
    expect(last).toMatchObject({ canceled: true, compact_revision: '51' });
    const told = answers.map(({ header }) => Number(header?.revision));
    expect(told).toEqual(Array.from({ length: told.length }, (_, at) => at + 2));
    expect(told.length).toBeGreaterThan(5);
    expect(bench.node.watches.size).toBe(0);
  });

  it('is not read from while what it asked for is not taken', async () => {
    const bench = await open({ streamBufferBytes: 500 });
    const call = bench.stream();
    call.taking = false;
    for (let at = 0; at < 5; at += 1) call.create(`k${at}`);
    expect(call.paused).toBe(0);
    for (let at = 5; at < 20; at += 1) call.create(`k${at}`);
    expect(call.paused).toBeGreaterThan(0);
    expect(call.resumed).toBe(0);
    await settle();
    call.taking = true;
    call.take();
    await settle();
    expect(call.resumed).toBeGreaterThan(0);
    expect(call.writes.flat()).toHaveLength(20);
  });

  it('with many watches has them go on a few at a time, all of them in the end', async () => {
    const bench = await open({ streamBufferBytes: 3000 });
    const call = bench.stream();
    for (let at = 0; at < 500; at += 1) call.create(`k${at}`);
    await settle();
    call.taking = false;
    const keys = Array.from({ length: 500 }, (_, at) => `k${at}`);
    await bench.put(...keys.slice(0, 100));
    for (const from of [100, 200, 300, 400]) await bench.put(...keys.slice(from, from + 100));
    await settle();
    call.taking = true;
    call.take();
    for (let round = 0; round < 10; round += 1) await settle();
    const told = call.writes.flat().filter(({ events }) => events.length > 0);
    expect(new Set(told.map(({ watch_id }) => watch_id)).size).toBe(500);
    expect(told).toHaveLength(500);
  });
});

describe('requests of watches', () => {
  it('wait for the next turn of the event loop when there are many', async () => {
    const bench = await open();
    const call = bench.stream();
    const other = bench.stream();
    while (call.paused === 0 && call.listenerCount('data') > 0) call.create('k');
    expect(call.resumed).toBe(0);
    other.create('k');
    expect(other.paused).toBe(1);
    await settle();
    expect([call.resumed, other.resumed].every((resumed) => resumed > 0)).toBe(true);
  });

  it('wait on, after that turn, while the client takes nothing', async () => {
    const bench = await open({ streamBufferBytes: 500 });
    const call = bench.stream();
    call.taking = false;
    for (let at = 0; at < 200; at += 1) call.create('k');
    await settle();
    expect(call.paused).toBeGreaterThan(0);
    expect(call.resumed).toBe(0);
  });
});

describe('progress that is asked for', () => {
  it('waits for a watch whose client takes nothing', async () => {
    const bench = await open({ streamBufferBytes: 500 });
    const call = bench.stream();
    call.create('k');
    await settle();
    call.taking = false;
    for (let at = 0; at < 20; at += 1) await bench.put('k');
    await settle();
    call.emit('data', { progress_request: {} });
    await settle();
    call.taking = true;
    call.take();
    const all = (): Answer[] => call.writes.flat();
    while (!all().some(({ watch_id }) => watch_id === '-1')) await turn();
    const order = all()
      .slice(1)
      .map(({ watch_id, header }) => `${watch_id} ${header?.revision}`);
    expect(order.at(-1)).toBe('-1 21');
    expect(order.slice(0, -1)).toEqual(Array.from({ length: 20 }, (_, at) => `0 ${at + 2}`));
  });
});
