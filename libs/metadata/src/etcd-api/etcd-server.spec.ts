import { credentials } from '@grpc/grpc-js';
import { TestAuthority } from '@pawl/raft/testing';
import { connect } from 'node:net';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EtcdClient, Received, apiBench } from './etcd-client.fixture.js';

const key = Buffer.from('k');

describe('the server', () => {
  it('listens on this machine only unless told otherwise', async () => {
    const bench = await apiBench();
    expect(bench.server.address.host).toBe('127.0.0.1');
    await bench.close();
    const everywhere = await apiBench({ host: '0.0.0.0' });
    expect(everywhere.server.address.host).toBe('0.0.0.0');
    await everywhere.close();
  });

  it('rejects when its port is taken', async () => {
    const bench = await apiBench();
    await expect(apiBench({ port: bench.server.address.port })).rejects.toThrow(/EADDRINUSE/);
    await bench.close();
  });

  it('answers UNIMPLEMENTED to what it does not serve', async () => {
    const bench = await apiBench();
    const unimplemented = { code: 12 };
    await expect(bench.client.call('Maintenance.Downgrade', {})).rejects.toMatchObject(
      unimplemented,
    );
    await expect(bench.client.call('Auth.AuthStatus', {})).rejects.toMatchObject(unimplemented);
    await bench.close();
  });

  it('refuses more calls at once than it takes', async () => {
    const bench = await apiBench({ limits: { calls: 3 } });
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let underWay = 0;
    bench.node.before = () => {
      underWay += 1;
      return held;
    };
    const calls = Array.from({ length: 3 }, () => bench.client.call('KV.Range', { key }));
    while (underWay < 3) await turn();
    await expect(bench.client.call('KV.Range', { key })).rejects.toMatchObject({
      code: 8,
      details: 'etcdserver: too many requests',
    });
    release();
    await Promise.all(calls);
    await bench.client.call('KV.Range', { key });
    await bench.close();
  });

  it('refuses calls that ask for a leader when there is none', async () => {
    const bench = await apiBench();
    bench.node.leaderless = true;
    const asking = bench.client.call('KV.Range', { key }, { hasleader: 'true' });
    await expect(asking).rejects.toMatchObject({ code: 14, details: 'etcdserver: no leader' });
    await bench.client.call('KV.Range', { key });
    await bench.close();
  });

  it('keeps the deadline that a client sets', async () => {
    const bench = await apiBench();
    let release = (): void => undefined;
    bench.node.before = () => new Promise<void>((resolve) => (release = resolve));
    const late = bench.client.call('KV.Range', { key }, {}, { deadline: Date.now() + 50 });
    await expect(late).rejects.toMatchObject({ code: 4 });
    release();
    await bench.close();
  });

  it('takes so many connections and no more', async () => {
    const bench = await apiBench({ limits: { connections: 1 } });
    const { port } = bench.server.address;
    const first = connect(port, '127.0.0.1');
    await once(first, 'data');
    const second = connect(port, '127.0.0.1');
    second.on('error', () => undefined);
    await once(second, 'close');
    first.destroy();
    await bench.close();
  });
});

describe('closing', () => {
  it('waits for calls that are under way', async () => {
    const bench = await apiBench();
    let release: (() => void) | null = null;
    bench.node.before = () => new Promise<void>((resolve) => (release = resolve));
    const under = bench.client.call('KV.Put', { key });
    while (release === null) await turn();
    const closed = bench.server.close();
    expect(bench.server.close()).toBe(closed);
    (release as () => void)();
    expect(await under).toMatchObject({ header: { revision: '2' } });
    await closed;
    bench.client.close();
  });

  it('takes a bounded time whatever clients do, and leaves nothing open', async () => {
    const bench = await apiBench({ limits: { closeMs: 20 } });
    const { port } = bench.server.address;
    let underWay = false;
    bench.node.before = () => {
      underWay = true;
      return new Promise<void>(() => undefined);
    };
    const stuck = bench.client.call('KV.Put', { key });
    const idle = connect(port, '127.0.0.1');
    idle.on('error', () => undefined);
    await once(idle, 'data');
    const stream = new Received(bench.client.duplex<object, object>('Watch.Watch'));
    while (!underWay) await turn();
    const refused = expect(stuck).rejects.toMatchObject({ code: expect.any(Number) as number });
    const [ended] = [once(idle, 'close'), stream.end()];
    await bench.server.close();
    await Promise.all([refused, ended]);
    const again = new EtcdClient(port);
    await expect(again.call('KV.Range', { key })).rejects.toMatchObject({ code: 14 });
    again.close();
    bench.client.close();
  });
});

describe('with TLS', () => {
  const authority = new TestAuthority('coordination');
  const pem = (subject: string) => {
    const { cert, key: privateKey, ca } = authority.issue(subject);
    return { cert: Buffer.from(cert), key: Buffer.from(privateKey), ca: Buffer.from(String(ca)) };
  };

  it('serves clients that trust it and that it trusts, and tells addresses as such', async () => {
    const server = pem('server');
    const tls = { cert: server.cert, key: server.key, clientCa: server.ca };
    const bench = await apiBench({ tls });
    const { port } = bench.server.address;
    const own = pem('client');
    const known = new EtcdClient(port, credentials.createSsl(server.ca, own.key, own.cert));
    const { members } = await known.call<{ members: object[] }>('Cluster.MemberList', {});
    expect(members).toMatchObject([{ clientURLs: ['https://127.0.0.1:7479'] }]);
    const stranger = new EtcdClient(port, credentials.createSsl(server.ca));
    const plain = new EtcdClient(port);
    for (const client of [stranger, plain]) {
      await expect(client.call('KV.Range', { key })).rejects.toMatchObject({ code: 14 });
    }
    for (const client of [known, stranger, plain]) client.close();
    await bench.close();
  });
});
