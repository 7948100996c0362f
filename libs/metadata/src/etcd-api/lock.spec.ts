import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { EtcdClient, apiBench } from './etcd-client.fixture.js';
import type { ApiBench, Pending } from './etcd-client.fixture.js';
import type { EtcdLimits } from './limits.js';

const UNKNOWN = 2;
const EXPIRED = { code: UNKNOWN, details: 'mutex: session is expired' };
const TOO_MANY = { code: 8, details: 'etcdserver: too many requests' };
const bytes = (text: string): Buffer => Buffer.from(text);

interface Locked {
  readonly header: { readonly revision: string };
  readonly key: Buffer;
}
interface Keys {
  readonly kvs: readonly { readonly key: Buffer; readonly lease: string }[];
}

let bench: ApiBench;
beforeEach(() => open());
afterEach(async () => {
  expect(bench.log).toEqual([]);
  await bench.close();
});

async function open(limits: Partial<EtcdLimits> = {}): Promise<void> {
  bench = await apiBench({ limits });
}
async function reopen(limits: Partial<EtcdLimits>): Promise<void> {
  await bench.close();
  await open(limits);
}

const grant = (ID: number) => bench.client.call('Lease.LeaseGrant', { TTL: 600, ID });
const revoke = (ID: number | string) => bench.client.call('Lease.LeaseRevoke', { ID });
const begin = (lease: number, name = 'm'): Pending<Locked> =>
  bench.client.begin<Locked>('Lock.Lock', { name: bytes(name), lease });
const lock = (lease: number, name = 'm') => begin(lease, name).answer;
const unlock = (key: Buffer) => bench.client.call<Locked>('Lock.Unlock', { key });
async function keys(name = 'm'): Promise<string[]> {
  const request = { key: bytes(`${name}/`), range_end: bytes(`${name}0`) };
  const { kvs } = await bench.client.call<Keys>('KV.Range', request);
  return kvs.map(({ key }) => key.toString());
}
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not come to that');
    await turn();
  }
}
/** Whether it came to be. */
const settled = (call: Promise<unknown>) =>
  call.then(
    () => true,
    () => false,
  );
/** Once so many wait, each with a watch on the place before its own and one on its own. */
const waiting = (count: number) => until(() => bench.node.watches.size === 2 * count);
/** Takes a lease and waits for the lock; resolves once it does. */
async function queue(lease: number, at: number): Promise<Pending<Locked>> {
  await grant(lease);
  const pending = begin(lease);
  await waiting(at);
  return pending;
}
async function hold(lease: number): Promise<Locked> {
  await grant(lease);
  return lock(lease);
}

describe('a lock', () => {
  it('is a key after its lease, and is had again by who has it', async () => {
    expect(await hold(100)).toMatchObject({ header: { revision: '2' }, key: bytes('m/64') });
    expect(await lock(100)).toMatchObject({ header: { revision: '2' }, key: bytes('m/64') });
    expect(await lock(100, '')).toMatchObject({ header: { revision: '3' }, key: bytes('/64') });
    expect(await unlock(bytes('m/64'))).toMatchObject({ header: { revision: '4' } });
    expect(await keys()).toEqual([]);
    expect(await unlock(bytes('m/64'))).toMatchObject({ header: { revision: '4' } });
  });

  it('is refused in the words of etcd, without their codes', async () => {
    const noLease = { code: UNKNOWN, details: 'etcdserver: requested lease not found' };
    for (const lease of [999, -5]) await expect(lock(lease)).rejects.toMatchObject(noLease);
    await expect(unlock(bytes(''))).rejects.toMatchObject({
      code: UNKNOWN,
      details: 'etcdserver: key is not provided',
    });
    await bench.client.call('Maintenance.Alarm', { action: 1, alarm: 2 });
    await expect(lock(0)).rejects.toMatchObject({
      code: UNKNOWN,
      details: 'etcdserver: corrupt cluster',
    });
  });

  it('goes to those who wait one by one, in the order in which they came', async () => {
    let holder = await hold(1);
    const waiters: Pending<Locked>[] = [];
    for (let at = 1; at <= 8; at += 1) waiters.push(await queue(1 + at, at));
    expect(await keys()).toHaveLength(9);
    const asked: string[] = [];
    bench.node.before = (call) => {
      asked.push(call);
      return Promise.resolve();
    };
    for (const [at, waiter] of waiters.entries()) {
      asked.length = 0;
      const { header } = await unlock(holder.key);
      holder = await waiter.answer;
      expect(holder).toMatchObject({ key: bytes(`m/${at + 2}`), header });
      await waiting(waiters.length - at - 1);
      /* The deletion, and the look of the one that is next: nobody else is woken. */
      expect(asked).toEqual(['user txn', 'user txn']);
    }
  });

  it('stays locked for those behind a contender that goes away', async () => {
    const holder = await hold(1);
    const [second, third] = [await queue(2, 1), await queue(3, 2)];
    second.cancel();
    await until(async () => (await keys()).length === 2);
    await waiting(1);
    await unlock(holder.key);
    expect((await third.answer).key.toString()).toBe('m/3');
  });

  it('goes on across a compaction of all that was', async () => {
    const holder = await hold(1);
    const next = await queue(2, 1);
    const { header } = await bench.client.call<Locked>('KV.Put', { key: bytes('other') });
    await bench.client.call('KV.Compact', { revision: header.revision, physical: true });
    await unlock(holder.key);
    expect((await next.answer).key.toString()).toBe('m/2');
  });

  it('is not told to who lost its place meanwhile, at once', async () => {
    await hold(1);
    const [second, third] = [await queue(2, 1), await queue(3, 2)];
    await revoke(2);
    await expect(second.answer).rejects.toMatchObject(EXPIRED);
    await unlock(bytes('m/3'));
    await expect(third.answer).rejects.toMatchObject(EXPIRED);
    expect(await keys()).toEqual(['m/1']);
    await waiting(0);
  });

  it('of who brings no lease goes with one of 60 s', async () => {
    const { key } = await lock(0);
    const [, hex] = key.toString().split('/');
    const ID = String(BigInt(`0x${hex}`));
    const time = await bench.client.call('Lease.LeaseTimeToLive', { ID, keys: true });
    expect(time).toMatchObject({ grantedTTL: '60', keys: [key] });
    await revoke(ID);
    expect(await keys()).toEqual([]);
  });
});

describe('a client that gives its call up', () => {
  const leases = async () =>
    (await bench.client.call<{ leases: { ID: string }[] }>('Lease.LeaseLeases', {})).leases;

  it('leaves no key, no watch and no lease that was made for it', async () => {
    await hold(1);
    const pending = begin(0);
    await waiting(1);
    pending.cancel();
    await until(async () => (await leases()).length === 1);
    expect(await keys()).toEqual(['m/1']);
    await waiting(0);
  });

  it('leaves nothing either when its deadline passes, or its connection breaks', async () => {
    await hold(1);
    await grant(2);
    const request = { name: bytes('m'), lease: 2 };
    const late = bench.client.call('Lock.Lock', request, {}, { deadline: Date.now() + 50 });
    await expect(late).rejects.toMatchObject({ code: 4 });
    await until(async () => (await keys()).length === 1);
    const other = new EtcdClient(bench.server.address.port);
    const broken = other.begin('Lock.Lock', request);
    await waiting(1);
    broken.cancel();
    other.close();
    await until(async () => (await keys()).length === 1);
    await waiting(0);
  });

  it('loses a place that was being made then, and not one that it had', async () => {
    await reopen({ waits: 1 });
    await grant(1);
    for (const left of [[], ['m/1']]) {
      let take = (): void => undefined;
      const held = new Promise<void>((resolve) => {
        bench.node.before = () => {
          bench.node.before = () => Promise.resolve();
          resolve();
          return new Promise((go) => (take = go));
        };
      });
      const pending = begin(1);
      await held;
      pending.cancel();
      /* On the same connection: the server heard of the end of the call first. */
      await unlock(bytes('nothing'));
      take();
      await until(() => settled(lock(1, 'other')));
      expect(await keys()).toEqual(left);
      if (left.length === 0) await lock(1);
    }
  });

  it('is forgotten even if nobody leads just then', async () => {
    await hold(1);
    const pending = await queue(2, 1);
    let failures = 0;
    bench.node.before = (call) => {
      if (call !== 'user txn' || failures === 2) return Promise.resolve();
      failures += 1;
      return Promise.reject(new MetadataUnavailableError('nobody leads', 'unknown'));
    };
    pending.cancel();
    await until(async () => (await keys()).length === 1);
    expect(failures).toBe(2);
  });
});

describe('waiting', () => {
  it('outlasts a time without a leader', async () => {
    const holder = await hold(1);
    const next = await queue(2, 1);
    let writes = 0;
    bench.node.before = (call) => {
      writes += call === 'user txn' ? 1 : 0;
      /* The first is the deletion itself, the two behind it are looks of who waits. */
      if (call !== 'user txn' || writes === 1 || writes > 3) return Promise.resolve();
      return Promise.reject(new MetadataUnavailableError('nobody leads', 'no'));
    };
    await unlock(holder.key);
    expect((await next.answer).key.toString()).toBe('m/2');
    expect(writes).toBe(4);
  });

  it('is bounded, and what is beyond is refused and leaves nothing', async () => {
    await reopen({ waits: 2, calls: 4 });
    await hold(1);
    const first = await queue(2, 1);
    await queue(3, 2);
    await grant(4);
    await expect(lock(4)).rejects.toMatchObject(TOO_MANY);
    expect(await keys()).toEqual(['m/1', 'm/2', 'm/3']);
    first.cancel();
    await waiting(1);
    await until(() => settled(lock(4, 'other')));
  });

  it('is refused where there are too many watches, and leaves nothing', async () => {
    await hold(1);
    await grant(2);
    bench.node.observe = () => {
      throw new MetadataUnavailableError('more than 0 watches', 'no');
    };
    await expect(lock(2)).rejects.toMatchObject(TOO_MANY);
    expect(await keys()).toEqual(['m/1']);
  });

  it('ends with the server, and leaves nothing', async () => {
    await hold(1);
    const pending = await queue(2, 1);
    const refused = expect(pending.answer).rejects.toMatchObject({
      code: 14,
      details: 'etcdserver: server stopped',
    });
    await bench.server.close();
    await refused;
    const everything = { key: bytes('u'), rangeEnd: bytes('v') };
    const result = await bench.node.range(everything);
    expect(result).toMatchObject({ ok: true, count: 1 });
    await waiting(0);
  });

  it('is for a leader when the client asks for one', async () => {
    bench.node.leaderless = true;
    const asking = bench.client.call('Lock.Lock', { name: bytes('m') }, { hasleader: 'true' });
    await expect(asking).rejects.toMatchObject({ code: 14, details: 'etcdserver: no leader' });
  });
});
