import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MEMBER_ID_HEADER } from '../cluster-client/member-id-header.js';
import { TcpQuorum } from '../quorum/tcp-quorum.fixture.js';
import { systemTime } from '../testing/system-time.js';
import { EtcdClient, Received } from './etcd-client.fixture.js';
import { serveEtcd } from './etcd-server.js';
import type { EtcdServer } from './etcd-server.js';

/* The machine may be busy. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const IDS = ['n1', 'n2', 'n3'];
let quorum: TcpQuorum;
let servers: EtcdServer[] = [];
let clients: EtcdClient[] = [];
const log: string[] = [];

beforeAll(async () => {
  quorum = await TcpQuorum.found(IDS);
  servers = await Promise.all(
    IDS.map((id) =>
      serveEtcd({
        node: quorum.node(id),
        port: 0,
        timer: systemTime,
        log: (text) => log.push(text),
      }),
    ),
  );
  clients = servers.map(({ address }) => new EtcdClient(address.port));
});
afterAll(async () => {
  for (const client of clients) client.close();
  await Promise.all(servers.map((server) => server.close()));
  await quorum.end();
});

interface Answer {
  header: { cluster_id: string; member_id: string; revision: string };
}
const bytes = (text: string): Buffer => Buffer.from(text);
const client = (at: number): EtcdClient => clients[at]!;

describe('the API on three members', () => {
  it('writes on one and reads on any, under one cluster and three members', async () => {
    const put = await client(0).call<Answer>('KV.Put', { key: bytes('k'), value: bytes('v') });
    const reads = await Promise.all(
      clients.map((one) =>
        one.call<Answer & { kvs: { value: Buffer }[] }>('KV.Range', { key: bytes('k') }),
      ),
    );
    for (const { kvs } of reads) expect(kvs).toMatchObject([{ value: bytes('v') }]);
    expect(new Set(reads.map(({ header }) => header.cluster_id)).size).toBe(1);
    expect(new Set(reads.map(({ header }) => header.member_id)).size).toBe(3);
    expect(put.header.revision).toBe(reads[0]?.header.revision);
  });

  it('tells a watch on one what is written on the others, in order, once', async () => {
    const stream = client(1).duplex<
      object,
      Answer & { created: boolean; events: { kv: { value: Buffer } }[] }
    >('Watch.Watch');
    const received = new Received<
      Answer & { created: boolean; events: { kv: { value: Buffer } }[] }
    >(stream);
    stream.write({ create_request: { key: bytes('w') } });
    await received.count(1);
    for (let at = 0; at < 30; at += 1) {
      await client(at % 3).call('KV.Put', { key: bytes('w'), value: bytes(`${at}`) });
    }
    await received.count(31);
    const told = received.all.slice(1).flatMap(({ events }) => events);
    expect(told.map(({ kv }) => kv.value.toString())).toEqual(
      Array.from({ length: 30 }, (_, at) => `${at}`),
    );
    stream.cancel();
  });

  it('grants, renews, tells and ends leases on any member', async () => {
    const { ID } = await client(0).call<{ ID: string }>('Lease.LeaseGrant', { TTL: 60 });
    await client(1).call('KV.Put', { key: bytes('l'), lease: ID });
    const stream = client(2).duplex<object, { TTL: string }>('Lease.LeaseKeepAlive');
    const received = new Received<{ TTL: string }>(stream);
    stream.write({ ID });
    expect(await received.count(1)).toMatchObject([{ TTL: '60' }]);
    stream.end();
    expect(await received.end()).toBeNull();
    const request = { ID, keys: true };
    const time = await client(1).call('Lease.LeaseTimeToLive', request);
    expect(time).toMatchObject({ grantedTTL: '60', keys: [bytes('l')] });
    await client(2).call('Lease.LeaseRevoke', { ID });
    const left = await client(0).call('KV.Range', { key: bytes('l') });
    expect(left).toMatchObject({ count: '0' });
  });

  it('lists the members, moves the leadership, and hashes alike', async () => {
    const { members } = await client(0).call<{ members: { ID: string; name: string }[] }>(
      'Cluster.MemberList',
      { linearizable: true },
    );
    expect(members).toHaveLength(3);
    const status = () => client(0).call<{ leader: string }>('Maintenance.Status', {});
    const { leader } = await status();
    const members_ = await Promise.all(
      clients.map((one) => one.call<Answer>('Maintenance.Status', {})),
    );
    const ids = members_.map(({ header }) => header.member_id);
    const target = ids.find((id) => id !== leader)!;
    const asked = client(ids.indexOf(target));
    const move = asked.call('Maintenance.MoveLeader', { targetID: target });
    await expect(move).rejects.toMatchObject({ code: 9, details: 'etcdserver: not leader' });
    await client(ids.indexOf(leader)).call('Maintenance.MoveLeader', { targetID: target });
    const { header } = await client(0).call<Answer>('KV.Put', { key: bytes('after') });
    const hashes = await Promise.all(
      clients.map(async (one) => {
        await one.call('KV.Range', { key: bytes('after') });
        const request = { revision: header.revision };
        return (await one.call<{ hash: number }>('Maintenance.HashKV', request)).hash;
      }),
    );
    expect(new Set(hashes).size).toBe(1);
    expect((await status()).leader).toBe(target);
  });

  it('adds a node as a learner, promotes it once it has caught up, and removes it', async () => {
    const peerURLs = [await quorum.address('n4')];
    const request = { peerURLs, isLearner: true };
    const headers = { [MEMBER_ID_HEADER]: 'n4' };
    const added = await client(1).call<{ member: { ID: string } }>(
      'Cluster.MemberAdd',
      request,
      headers,
    );
    const { ID } = added.member;
    await quorum.start('n4');
    interface Members {
      members: { ID: string; isLearner: boolean }[];
    }
    const promoted = await vi.waitFor(
      () => client(2).call<Members>('Cluster.MemberPromote', { ID }),
      { timeout: 60_000, interval: 50 },
    );
    const found = promoted.members.find((one) => one.ID === ID);
    expect(found).toMatchObject({ isLearner: false });
    const { members } = await client(0).call<Members>('Cluster.MemberRemove', { ID });
    expect(members).toHaveLength(3);
    await quorum.stop('n4');
  });

  it('lets the etcd3 client lock, whichever member it asks', async () => {
    const hosts = servers.map(({ address }) => `http://127.0.0.1:${address.port}`);
    const etcd = new Etcd3({ hosts });
    const lock = etcd.lock('mutex').ttl(30);
    await lock.acquire();
    await expect(etcd.lock('mutex').ttl(30).acquire()).rejects.toThrow();
    await lock.release();
    etcd.close();
    expect(log).toEqual([]);
  });
});
