import { Etcd3, EtcdLeaseInvalidError } from 'etcd3';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiBench } from './etcd-client.fixture.js';
import type { ApiBench } from './etcd-client.fixture.js';

let bench: ApiBench;
let client: Etcd3;
beforeAll(async () => {
  bench = await apiBench();
  client = new Etcd3({ hosts: `http://127.0.0.1:${bench.server.address.port}` });
});
afterAll(async () => {
  client.close();
  await bench.close();
});

describe('the etcd3 client', () => {
  it('puts, gets, counts, deletes', async () => {
    await client.put('a/1').value('x');
    await client.put('a/2').value('y');
    expect(await client.get('a/1').string()).toBe('x');
    expect(await client.getAll().prefix('a/').strings()).toEqual({ 'a/1': 'x', 'a/2': 'y' });
    expect(await client.getAll().prefix('a/').count()).toBe(2);
    expect(await client.getAll().prefix('a/').sort('Value', 'Descend').keys()).toEqual([
      'a/2',
      'a/1',
    ]);
    expect(await client.delete().prefix('a/')).toMatchObject({ deleted: '2' });
    expect(await client.get('a/1').string()).toBeNull();
  });

  it('compares and sets', async () => {
    const set = () =>
      client
        .if('t', 'Create', '==', 0)
        .then(client.put('t').value('first'))
        .else(client.get('t'))
        .commit();
    expect((await set()).succeeded).toBe(true);
    const { succeeded, responses } = await set();
    expect(succeeded).toBe(false);
    const found = responses[0]?.response_range?.kvs[0] as { value: Buffer } | undefined;
    expect(found?.value.toString()).toBe('first');
  });

  it('holds leases, and hears that one is gone', async () => {
    const lease = client.lease(60);
    await lease.put('l').value('x');
    expect(await lease.keepaliveOnce()).toMatchObject({ TTL: '60' });
    expect(await client.get('l').string()).toBe('x');
    await lease.revoke();
    expect(await client.get('l').string()).toBeNull();
    const gone = client.put('l').value('x').lease('4711');
    await expect(gone).rejects.toBeInstanceOf(EtcdLeaseInvalidError);
  });

  it('watches a prefix, and goes on where it was after it lost the connection', async () => {
    const watcher = await client.watch().prefix('w/').create();
    const seen: string[] = [];
    let wake = (): void => undefined;
    watcher.on('put', ({ key, value }) => {
      seen.push(`${key.toString()}=${value.toString()}`);
      wake();
    });
    const until = async (count: number): Promise<void> => {
      while (seen.length < count) await new Promise<void>((resolve) => (wake = resolve));
    };
    await client.put('w/1').value('x');
    await until(1);
    const { port } = bench.server.address;
    const lost = once(watcher, 'disconnected');
    const back = once(watcher, 'connected');
    await bench.server.close();
    await lost;
    for (const at of [2, 3]) {
      const operation = { kind: 'put' as const, key: Buffer.from(`uw/${at}`), lease: 0n };
      const success = [{ ...operation, value: Buffer.from('y') }];
      await bench.node.txn({ compare: [], success, failure: [] });
    }
    const again = await apiBench({ node: bench.node, port });
    await back;
    await until(3);
    expect(seen).toEqual(['w/1=x', 'w/2=y', 'w/3=y']);
    await watcher.cancel();
    bench.client.close();
    bench = again;
  });

  it('hears that what it wants to watch was compacted', async () => {
    for (let at = 0; at < 5; at += 1) await client.put('c').value(`${at}`);
    await bench.node.compact(bench.node.head().revision);
    const watcher = await client.watch().key('c').startRevision('2').create();
    const [error] = (await once(watcher, 'error')) as [Error];
    expect(error.message).toContain('Watcher canceled');
  });

  it('locks and elects with recipes of its own', async () => {
    const lock = client.lock('mutex');
    await lock.acquire();
    const second = client.lock('mutex').ttl(30);
    await expect(second.acquire()).rejects.toThrow();
    await lock.release();
    await second.acquire();
    await second.release();
    const election = client.election('leader', 30);
    const campaign = election.campaign('me');
    await once(campaign, 'elected');
    expect(await election.leader()).toBe('me');
    await campaign.resign();
  });
});
