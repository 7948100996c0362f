import { ManualTime } from '@pawl/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { Received, apiBench } from './etcd-client.fixture.js';
import type { ApiBench } from './etcd-client.fixture.js';
import { openTestNode } from './test-node.fixture.js';

const time = new ManualTime();
let bench: ApiBench;
beforeAll(async () => {
  const node = await openTestNode({ clock: time, timer: time });
  bench = await apiBench({ node, limits: { keepAlives: 4 } });
});
afterAll(() => bench.close());

interface Lease {
  ID: string;
  TTL: string;
  grantedTTL: string;
  keys: Buffer[];
}
const grant = (TTL: number | string, ID: number | string = 0) =>
  bench.client.call<Lease>('Lease.LeaseGrant', { TTL, ID });
const left = (ID: string, keys = false) =>
  bench.client.call<Lease>('Lease.LeaseTimeToLive', { ID, keys });
const put = (key: string, lease: string) =>
  bench.client.call('KV.Put', { key: Buffer.from(key), lease });

describe('leases', () => {
  it('are granted under a chosen id or an unused one, never for too short', async () => {
    expect(await grant(60, '9007199254740993')).toMatchObject({
      ID: '9007199254740993',
      TTL: '60',
      error: '',
    });
    const [first, second] = [await grant(60), await grant(60)];
    expect(BigInt(first.ID)).toBeGreaterThan(0n);
    expect(first.ID).not.toBe(second.ID);
    for (const short of [1, 0, -5]) expect(await grant(short)).toMatchObject({ TTL: '2' });
    expect(await grant(9_000_000_000)).toMatchObject({ TTL: '9000000000' });
  });

  it('are refused in the words of etcd', async () => {
    await grant(60, 4711);
    await expect(grant(60, 4711)).rejects.toMatchObject({
      code: 9,
      details: 'etcdserver: lease already exists',
    });
    const tooLong = { code: 11, details: 'etcdserver: too large lease TTL' };
    await expect(grant(9_000_000_001)).rejects.toMatchObject(tooLong);
    await expect(grant('9223372036854775807')).rejects.toMatchObject(tooLong);
    await expect(grant(60, -5)).rejects.toMatchObject({ code: 3 });
    for (const ID of [815, 0, -1]) {
      await expect(bench.client.call('Lease.LeaseRevoke', { ID })).rejects.toMatchObject({
        code: 5,
        details: 'etcdserver: requested lease not found',
      });
    }
  });

  it('tell what is left in whole seconds, what it was, and their keys', async () => {
    const { ID } = await grant(10);
    await put('l2', ID);
    await put('l1', ID);
    time.advance(2500);
    expect(await left(ID, true)).toMatchObject({
      ID,
      TTL: '7',
      grantedTTL: '10',
      keys: [Buffer.from('l1'), Buffer.from('l2')],
    });
    expect(await left(ID)).toMatchObject({ keys: [] });
    expect(await left('31415')).toMatchObject({ ID: '31415', TTL: '-1', grantedTTL: '0' });
  });

  it('take their keys with them in one revision when they are revoked', async () => {
    const { ID } = await grant(60);
    await put('r1', ID);
    await put('r2', ID);
    const before = bench.node.head().revision;
    const { header } = await bench.client.call<{ header: { revision: string } }>(
      'Lease.LeaseRevoke',
      { ID },
    );
    expect(header.revision).toBe(String(before + 1));
    const range = { key: Buffer.from('r'), range_end: Buffer.from('s') };
    expect(await bench.client.call('KV.Range', range)).toMatchObject({ count: '0' });
    expect(await left(ID)).toMatchObject({ TTL: '-1' });
  });

  it("are listed, named and renewed as users' only: Pawl's own are not there", async () => {
    const { ID } = await grant(60);
    const own = await bench.node.grantLease(60_000);
    if (!own.ok) throw new Error(own.refusal);
    const { leases } = await bench.client.call<{ leases: { ID: string }[] }>(
      'Lease.LeaseLeases',
      {},
    );
    expect(leases).toContainEqual({ ID });
    expect(leases.every((lease) => BigInt(lease.ID) > 0n)).toBe(true);
    expect(await left(String(own.id))).toMatchObject({ TTL: '-1' });
    await expect(
      bench.client.call('Lease.LeaseRevoke', { ID: String(own.id) }),
    ).rejects.toMatchObject({ code: 5 });
    const stream = bench.client.duplex<object, Lease>('Lease.LeaseKeepAlive');
    stream.write({ ID: String(own.id) });
    const [answer] = await new Received<Lease>(stream).count(1);
    expect(answer).toMatchObject({ TTL: '0' });
    stream.end();
  });
});

describe('a stream of keep-alives', () => {
  it('renews for the full time, and answers 0 for what has ended', async () => {
    const { ID } = await grant(10);
    const stream = bench.client.duplex<object, Lease>('Lease.LeaseKeepAlive');
    const received = new Received<Lease>(stream);
    time.advance(9000);
    stream.write({ ID });
    expect(await received.count(1)).toMatchObject([{ ID, TTL: '10' }]);
    time.advance(9999);
    expect(await left(ID)).toMatchObject({ TTL: '0' });
    time.advance(1);
    stream.write({ ID });
    expect((await received.count(2))[1]).toMatchObject({ ID, TTL: '0' });
    stream.end();
    expect(await received.end()).toBeNull();
  });

  it('has several under way, not too many, and answers in the order of the asking', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, async () => (await grant(60)).ID));
    let [underWay, most] = [0, 0];
    bench.node.before = async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      for (let turns = 0; turns < (underWay * 7) % 5; turns += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      underWay -= 1;
    };
    const stream = bench.client.duplex<object, Lease>('Lease.LeaseKeepAlive');
    for (const ID of ids) stream.write({ ID });
    stream.end();
    const received = new Received<Lease>(stream);
    expect((await received.count(20)).map(({ ID }) => ID)).toEqual(ids);
    expect(await received.end()).toBeNull();
    bench.node.before = () => Promise.resolve();
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });

  it('ends with an error when no quorum answers', async () => {
    const { ID } = await grant(60);
    bench.node.before = async () => {
      throw new MetadataUnavailableError('no quorum', 'unknown');
    };
    const stream = bench.client.duplex<object, Lease>('Lease.LeaseKeepAlive');
    stream.write({ ID });
    stream.write({ ID });
    const failure = await new Received<Lease>(stream).end();
    expect(failure).toMatchObject({ code: 14, details: 'etcdserver: request timed out' });
    bench.node.before = () => Promise.resolve();
  });
});
