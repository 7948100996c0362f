import { once } from 'node:events';
import { constants } from 'node:http2';
import type { ClientHttp2Stream } from 'node:http2';
import { ManualTime } from '@pawl/kernel';
import type { Timer } from '@pawl/kernel';
import { afterEach, describe, expect, it } from 'vitest';
import { systemTime } from '../testing/system-time.js';
import { Received, apiBench } from './etcd-client.fixture.js';
import type { ApiBench } from './etcd-client.fixture.js';
import type { EtcdLimits } from './limits.js';
import { RawClient } from './raw-client.fixture.js';

const { NGHTTP2_NO_ERROR } = constants;
const RANGE = '/etcdserverpb.KV/Range';
const WATCH = '/etcdserverpb.Watch/Watch';
const KEEP_ALIVE = '/etcdserverpb.Lease/LeaseKeepAlive';
const TOO_MANY = { code: 8, text: 'etcdserver: too many requests' };
const key = Buffer.from('k');

let bench: ApiBench;
const clients: RawClient[] = [];

async function open(limits: Partial<EtcdLimits>, timer: Timer = systemTime): Promise<void> {
  bench = await apiBench({ limits, timer });
}

function client(window?: number): RawClient {
  const raw = new RawClient(bench.server.address.port, window);
  clients.push(raw);
  return raw;
}

afterEach(async () => {
  for (const raw of clients.splice(0)) await raw.close();
  await bench.close();
});

/** Resolves once the server has room for one more call. */
async function room(): Promise<void> {
  for (let attempts = 0; attempts < 1000; attempts += 1) {
    const answered = await bench.client.call('KV.Range', { key }).then(
      () => true,
      () => false,
    );
    if (answered) return;
  }
  throw new Error('there is no room');
}

/** Takes what there is of an answer. */
async function take(call: ClientHttp2Stream): Promise<Buffer> {
  for (;;) {
    const some = call.read() as Buffer | null;
    if (some !== null) return some;
    await once(call, 'readable');
  }
}

/** Whether what was compacted takes memory that cannot be given back. */
async function keepsMemory(): Promise<boolean> {
  await bench.client.call('Maintenance.Defragment', {});
  const { sizeBytes, sizeInUseBytes } = bench.node.nodeStatus();
  return sizeBytes > sizeInUseBytes;
}

describe('calls that are open', () => {
  it('count from their headers on, on all connections, and are refused beyond the limit', async () => {
    await open({ calls: 6 });
    for (const one of [client(), client(), client()]) {
      const first = one.begin(RANGE);
      await once(first, 'ready');
      one.begin(RANGE);
    }
    const another = client();
    const late = another.begin(RANGE);
    const over = once(late, 'close');
    expect(await another.answer(late)).toEqual(TOO_MANY);
    /* Though the client has not ended it: nothing is left of it. */
    await over;
    expect(late.rstCode).toBe(NGHTTP2_NO_ERROR);
    await expect(bench.client.call('KV.Put', { key })).rejects.toMatchObject({ code: 8 });
    await clients.shift()!.close();
    await room();
  });

  it('count with their kind: streams keep calls from nothing, nor calls streams', async () => {
    await open({ calls: 2, streams: 2 });
    const one = client();
    const [watch, keepAlive] = [one.begin(WATCH), one.begin(KEEP_ALIVE)];
    expect(await one.answer(one.begin(WATCH))).toEqual(TOO_MANY);
    expect(await one.answer(one.begin(KEEP_ALIVE))).toEqual(TOO_MANY);
    expect((await one.answer(one.ask('KV.Range', { key }))).code).toBe(0);
    for (let i = 0; i < 2; i += 1) one.begin('/etcdserverpb.Maintenance/Snapshot');
    expect(await one.answer(one.begin('/nobody.Serves/This'))).toEqual(TOO_MANY);
    expect([watch.closed, keepAlive.closed]).toEqual([false, false]);
  });

  it('end with their connection when no request comes, but for streams', async () => {
    await open({ requestMs: 40 });
    const one = client();
    const [watch, keepAlive] = [one.begin(WATCH), one.begin(KEEP_ALIVE)];
    const silent = client().begin(RANGE);
    const half = client().begin(RANGE);
    half.write(Buffer.from([0, 0, 0, 0, 9, 1, 2]));
    await Promise.all([once(silent, 'close'), once(half, 'close')]);
    expect([watch.closed, keepAlive.closed]).toEqual([false, false]);
  });

  it('end with their connection when they are answered and the client does not end them', async () => {
    await open({ requestMs: 40, calls: 1 });
    /* Two requests where one is asked for: refused, and not ended. */
    const one = client();
    const call = one.begin(RANGE);
    const over = once(call, 'close');
    call.write(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    expect((await one.answer(call)).code).toBe(12);
    await over;
    await room();
  });

  it('go on however long the server takes', async () => {
    await open({ requestMs: 40, answerMs: 40 });
    bench.node.before = () => new Promise((resolve) => setTimeout(resolve, 200));
    const one = client();
    expect((await one.answer(one.ask('KV.Range', { key }))).code).toBe(0);
  });

  it('end with their connection when the client does not take the answer', async () => {
    await open({ requestMs: 400, answerMs: 100 });
    await bench.client.call('KV.Put', { key, value: Buffer.alloc(100_000) });
    const call = client(1000).ask('KV.Range', { key });
    call.pause();
    await once(call, 'close');
  });

  it('let a snapshot take its time, but end with their connection when nothing of it is taken', async () => {
    const timer = new ManualTime();
    await open({ requestMs: 400, answerMs: 400, snapshots: 1 }, timer);
    const value = Buffer.alloc(100_000);
    /* More than what waits for the client, beside the store, at once. */
    for (let at = 0; at < 45; at += 1) {
      await bench.client.call('KV.Put', { key: Buffer.from(`k${at}`), value });
    }
    const call = client(1000).ask('Maintenance.Snapshot', {});
    call.pause();
    await once(call, 'response');
    const second = new Received(bench.client.download('Maintenance.Snapshot'));
    expect(await second.end()).toMatchObject({ code: 8, details: TOO_MANY.text });
    for (let pieces = 0; pieces < 4; pieces += 1) {
      timer.advance(300);
      for (let left = 150_000; left > 0;) left -= (await take(call)).length;
    }
    expect(call.closed).toBe(false);
    await bench.client.call('KV.DeleteRange', { key, range_end: Buffer.from('l') });
    await bench.client.call('KV.Compact', { revision: 47 });
    expect(await keepsMemory()).toBe(true);
    const over = once(call, 'close');
    timer.advance(1000);
    await over;
    for (let attempts = 0; attempts < 1000 && (await keepsMemory()); attempts += 1);
    expect(await keepsMemory()).toBe(false);
  });
});
