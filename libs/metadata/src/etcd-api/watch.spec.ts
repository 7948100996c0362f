import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManualTime } from '@pawl/kernel';
import { systemTime } from '../testing/system-time.js';
import { Received, apiBench } from './etcd-client.fixture.js';
import type { ApiBench } from './etcd-client.fixture.js';

let bench: ApiBench;
beforeAll(async () => {
  bench = await apiBench();
});
afterAll(() => bench.close());

interface Kv {
  key: Buffer;
  value: Buffer;
  version: string;
  mod_revision: string;
}
interface Answer {
  header: { revision: string };
  watch_id: string;
  created: boolean;
  canceled: boolean;
  compact_revision: string;
  cancel_reason: string;
  fragment: boolean;
  events: { type: number; kv: Kv; prev_kv: Kv | null }[];
}

const bytes = (text: string): Buffer => Buffer.from(text);
const put = async (key: string, value = '', on = bench): Promise<number> => {
  const request = { key: bytes(key), value: bytes(value) };
  const { header } = await on.client.call<{ header: { revision: string } }>('KV.Put', request);
  return Number(header.revision);
};
const erase = (key: string) => bench.client.call('KV.DeleteRange', { key: bytes(key) });
/** Two writes in one revision. */
const putBoth = (...keys: string[]) =>
  bench.client.call('KV.Txn', {
    success: keys.map((key) => ({ request_put: { key: bytes(key) } })),
  });

function open(on = bench, headers: Record<string, string> = {}) {
  const stream = on.client.duplex<object, Answer>('Watch.Watch', headers);
  const received = new Received<Answer>(stream);
  return {
    received,
    create: (key: string, rest: object = {}) =>
      stream.write({ create_request: { key: bytes(key), ...rest } }),
    cancel: (watch_id: number) => stream.write({ cancel_request: { watch_id } }),
    progress: () => stream.write({ progress_request: {} }),
    halfClose: () => stream.end(),
    close: () => stream.cancel(),
  };
}

/** An answer in short: what kind, of which watch, at which revision. */
function short({ created, canceled, watch_id, header, events, ...rest }: Answer): string {
  const what = events.map(({ type, kv, prev_kv }) => {
    const before = prev_kv === null ? '' : `<${prev_kv.value.toString()}`;
    return `${type === 0 ? '+' : '-'}${kv.key.toString()}=${kv.value.toString()}${before}`;
  });
  const flags = [created && 'created', canceled && 'canceled', rest.fragment && 'fragment'];
  const words = [...flags, ...what, rest.cancel_reason].filter((word) => word);
  return `${watch_id} @${header.revision} ${words.join(' ')}`.trim();
}

describe('a stream of watches', () => {
  it('tells several watches, each created before it is told anything', async () => {
    const stream = open();
    stream.create('a');
    stream.create('a', { range_end: bytes('b') });
    stream.create('other');
    await stream.received.count(3);
    const at = await put('a', '1');
    await putBoth('a', 'ab', 'c');
    await erase('a');
    const all = (await stream.received.count(9)).map(short);
    expect(all.slice(0, 3)).toEqual([
      `0 @${at - 1} created`,
      `1 @${at - 1} created`,
      `2 @${at - 1} created`,
    ]);
    expect(all.slice(3).filter((line) => line.startsWith('0'))).toEqual([
      `0 @${at} +a=1`,
      `0 @${at + 1} +a=`,
      `0 @${at + 2} -a=`,
    ]);
    expect(all.slice(3).filter((line) => line.startsWith('1'))).toEqual([
      `1 @${at} +a=1`,
      `1 @${at + 1} +a= +ab=`,
      `1 @${at + 2} -a=`,
    ]);
    const deletion = stream.received.all.at(-1)?.events[0]?.kv;
    expect(deletion).toMatchObject({ version: '0', create_revision: '0', lease: '0' });
    stream.close();
  });

  it('filters, and tells what was before, as each watch wants it', async () => {
    const stream = open();
    stream.create('f', { filters: [0] });
    stream.create('f', { filters: [1], prev_kv: true });
    stream.create('f', { prev_kv: true, watch_id: 9 });
    stream.create('f', { filters: [0, 1] });
    await stream.received.count(4);
    const at = await put('f', '1');
    await put('f', '2');
    await erase('f');
    await stream.received.count(10);
    const told = stream.received.all.slice(4).map(short);
    const of = (id: number): string[] => told.filter((line) => line.startsWith(`${id} `));
    expect(of(0)).toEqual([`0 @${at + 2} -f=`]);
    expect(of(1)).toEqual([`1 @${at} +f=1`, `1 @${at + 1} +f=2<1`]);
    expect(of(9)).toEqual([`9 @${at} +f=1`, `9 @${at + 1} +f=2<1`, `9 @${at + 2} -f=<2`]);
    expect(of(2)).toEqual([]);
    stream.close();
  });

  it('begins where a watch wants it: before, now or later', async () => {
    const at = await put('s', '1');
    await put('s', '2');
    const stream = open();
    stream.create('s', { start_revision: at });
    stream.create('s', { start_revision: at + 1 });
    stream.create('s', { start_revision: at + 3 });
    stream.create('s');
    await stream.received.count(7);
    await put('s', '3');
    await put('s', '4');
    await stream.received.count(14);
    const told = stream.received.all.map(short);
    const of = (id: number): string[] =>
      told.filter((line) => line.startsWith(`${id} `)).map((line) => line.split(' ')[2] ?? '');
    expect(of(0)).toEqual(['created', '+s=1', '+s=2', '+s=3', '+s=4']);
    expect(of(1)).toEqual(['created', '+s=2', '+s=3', '+s=4']);
    expect(of(2)).toEqual(['created', '+s=4']);
    expect(of(3)).toEqual(['created', '+s=3', '+s=4']);
    stream.close();
  });

  it('cancels by id, answers once, and passes over ids that are not there', async () => {
    const stream = open();
    stream.create('x');
    stream.create('x', { watch_id: 7 });
    await stream.received.count(2);
    stream.cancel(0);
    stream.cancel(0);
    stream.cancel(12345);
    await stream.received.count(3);
    const at = await put('x');
    await stream.received.count(4);
    const all = stream.received.all.map(short).slice(2);
    expect(all).toEqual([`0 @${at - 1} canceled`, `7 @${at} +x=`]);
    stream.close();
  });

  it('refuses ids that are taken, ranges that are empty and negative revisions, in the words of etcd', async () => {
    const stream = open();
    stream.create('x', { watch_id: 1 });
    stream.create('x', { watch_id: 1 });
    stream.create('x', { range_end: bytes('x') });
    stream.create('x', { watch_id: -3 });
    stream.create('x', { start_revision: -1 });
    stream.create('x');
    stream.create('x');
    await stream.received.count(7);
    const at = bench.node.head().revision;
    expect(stream.received.all.map(short)).toEqual([
      `1 @${at} created`,
      `-1 @${at} created canceled mvcc: duplicate watch ID provided on the WatchStream`,
      `-1 @${at} created canceled mvcc: watcher range is empty`,
      `-3 @${at} created`,
      `-1 @${at} created canceled etcdserver: mvcc: required revision has been compacted`,
      `0 @${at} created`,
      `2 @${at} created`,
    ]);
    await put('x');
    const told = (await stream.received.count(11)).slice(7).map(({ watch_id }) => watch_id);
    expect(told.sort()).toEqual(['-3', '0', '1', '2']);
    stream.close();
  });

  it('watches all keys of users, and never our own', async () => {
    const stream = open();
    stream.create('', { range_end: bytes('\0') });
    stream.create('', {});
    await stream.received.count(2);
    const own = { key: bytes('pawl/x'), value: bytes(''), lease: 0n, kind: 'put' as const };
    await bench.node.txn({ compare: [], success: [own], failure: [] });
    const at = await put('y');
    expect((await stream.received.count(3)).map(short)[2]).toBe(`0 @${at} +y=`);
    stream.close();
  });

  it('ends a watch that begins with what was compacted; at the boundary it is told', async () => {
    await put('c', '1');
    const at = await put('c', '2');
    await put('c', '3');
    await bench.client.call('KV.Compact', { revision: at });
    const stream = open();
    stream.create('c', { start_revision: at - 1 });
    stream.create('c', { start_revision: at, prev_kv: true });
    await stream.received.count(5);
    const canceled = stream.received.all.filter((answer) => answer.canceled);
    expect(canceled).toMatchObject([{ watch_id: '0', compact_revision: `${at}`, events: [] }]);
    const told = stream.received.all.map(short).filter((line) => line.includes('+'));
    expect(told).toEqual([`1 @${at} +c=2`, `1 @${at + 1} +c=3<2`]);
    stream.close();
  });

  it('tells one that keeps up of what is compacted in the turn that wrote it', async () => {
    const stream = open();
    stream.create('turn');
    await stream.received.count(1);
    const at = await put('turn');
    await stream.received.count(2);
    const puts = [put('turn'), put('turn'), put('turn')];
    await Promise.all([...puts, bench.client.call('KV.Compact', { revision: at + 3 })]);
    const told = () =>
      stream.received.all.flatMap(({ canceled, events }): (string | number)[] =>
        canceled ? ['canceled'] : events.map(({ kv }) => Number(kv.mod_revision)),
      );
    await stream.received.until(() => told().length >= 4 || told().includes('canceled'));
    expect(told()).toEqual([at, at + 1, at + 2, at + 3]);
    stream.close();
  });

  it('goes on after the client has ended its side', async () => {
    const stream = open();
    stream.create('half');
    stream.halfClose();
    await stream.received.count(1);
    const at = await put('half');
    expect((await stream.received.count(2)).map(short)[1]).toBe(`0 @${at} +half=`);
    stream.close();
  });

  it('gives everything back when the client goes away', async () => {
    const own = await apiBench();
    const stream = open(own);
    for (let at = 0; at < 5; at += 1) stream.create(`gone${at}`);
    await stream.received.count(5);
    expect(own.node.watches.size).toBe(5);
    stream.close();
    while (own.node.watches.size > 0) await new Promise((resolve) => setImmediate(resolve));
    await own.close();
  });
});

describe('progress', () => {
  it('is told when asked for, for all watches, once all are there', async () => {
    const stream = open();
    stream.create('p');
    stream.create('p', { start_revision: 1_000_000 });
    await stream.received.count(2);
    const at = await put('q');
    stream.progress();
    const answer = (await stream.received.count(3)).map(short)[2];
    expect(answer).toBe(`-1 @${at}`);
    stream.close();
  });

  it('is told to watches that ask for it and were told nothing else, at an interval', async () => {
    const time = new ManualTime();
    const timer = {
      after: (delayMs: number, callback: () => void) =>
        delayMs === 60_000 ? time.after(delayMs, callback) : systemTime.after(delayMs, callback),
    };
    const own = await apiBench({ timer, limits: { progressIntervalMs: 60_000 } });
    const stream = open(own);
    stream.create('p', { progress_notify: true });
    stream.create('r', { progress_notify: true });
    stream.create('s');
    await stream.received.count(3);
    const at = await put('r', '', own);
    await stream.received.count(4);
    time.advance(60_000);
    await stream.received.count(5);
    time.advance(60_000);
    await stream.received.count(7);
    expect(stream.received.all.slice(3).map(short)).toEqual([
      `1 @${at} +r=`,
      `0 @${at}`,
      `0 @${at}`,
      `1 @${at}`,
    ]);
    stream.close();
    await own.close();
  });
});

describe('streams that are refused or ended', () => {
  it('are so without a leader, if they ask for one', async () => {
    const own = await apiBench({ limits: { leaderlessMs: 30 } });
    const [asking, other] = [open(own, { hasleader: 'true' }), open(own)];
    asking.create('a');
    other.create('a');
    await Promise.all([asking.received.count(1), other.received.count(1)]);
    own.node.leaderless = true;
    const failure = { code: 14, details: 'etcdserver: no leader' };
    expect(await asking.received.end()).toMatchObject(failure);
    expect(await open(own, { hasleader: 'true' }).received.end()).toMatchObject(failure);
    await put('a', '', own);
    await other.received.count(2);
    other.close();
    await own.close();
  });

  it('are so when the store fails, and when the server closes', async () => {
    const own = await apiBench();
    const [first, second] = [open(own), open(own)];
    first.create('a');
    await first.received.count(1);
    second.create('a');
    await second.received.count(1);
    await own.server.close();
    const stopped = { code: 14, details: 'etcdserver: server stopped' };
    expect(await first.received.end()).toMatchObject(stopped);
    expect(await second.received.end()).toMatchObject(stopped);
    await own.close();
    const other = await apiBench();
    const third = open(other);
    third.create('a');
    await third.received.count(1);
    await other.node.close();
    expect(await third.received.end()).toMatchObject({ code: 14 });
    await other.close();
  });

  it('are bounded, and so are watches: on a stream, in all, and in the store', async () => {
    const limits = { streams: 2, watchesPerStream: 3, watches: 5 };
    const own = await apiBench({ limits });
    const [first, second] = [open(own), open(own)];
    for (let at = 0; at < 4; at += 1) first.create(`k${at}`);
    await first.received.count(4);
    for (let at = 0; at < 3; at += 1) second.create(`k${at}`);
    await second.received.count(3);
    for (const { received } of [first, second]) {
      expect(received.all.at(-1)).toMatchObject({
        created: true,
        canceled: true,
        cancel_reason: 'etcdserver: too many requests',
      });
    }
    expect(await open(own).received.end()).toMatchObject({
      code: 8,
      details: 'etcdserver: too many requests',
    });
    first.cancel(0);
    second.create('again');
    await second.received.count(4);
    first.close();
    second.close();
    await own.close();
  });
});
