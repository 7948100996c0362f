import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  Etcd3,
  EtcdLeaseInvalidError,
  EtcdLockFailedError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  type IKeyValue,
} from 'etcd3';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { REPOSITORY } from '../../infra/dev/lib/repository.mjs';
import { eventually } from '../support/eventually.js';
import { endWithUs } from '../support/leash.js';
import { startQuorum, type TestQuorum } from '../support/quorum-cluster.js';

/** Seconds: the shortest that is granted. */
const SHORT_TTL = 2;
/** Of a lease of that length: its time, and what an election in between adds. */
const EXPIRES_WITHIN_MS = 15_000;
/** A program that takes the lock `orphan` and holds it for as long as it lives. */
const HOLD = `
  import { Etcd3 } from 'etcd3';
  const client = new Etcd3({ hosts: process.env.HOSTS.split(',') });
  await client.lock('orphan').ttl(${SHORT_TTL}).acquire();
  console.log('held');
`;

let quorum: TestQuorum;
let client: Etcd3;
/** A second one, with connections of its own. */
let other: Etcd3;

const connect = (): Etcd3 =>
  new Etcd3({ hosts: quorum.endpoints.map((endpoint) => `http://${endpoint}`) });

beforeAll(async () => {
  quorum = await startQuorum();
  [client, other] = [connect(), connect()];
});

afterEach(({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const one of quorum.members) console.error(`--- ${one.name}\n${one.log()}`);
});

afterAll(async () => {
  client?.close();
  other?.close();
  await quorum?.stop();
});

it('puts and gets, as what the value is, one key, a prefix and a range', async () => {
  for (const [key, value] of Object.entries({ 'a/1': '3', 'a/2': '1', 'a/3': '2', b: '4' })) {
    await client.put(key).value(value);
  }
  expect(await client.get('a/1')).toBe('3');
  expect(await client.get('a/1').number()).toBe(3);
  expect(await client.get('a/1').buffer()).toEqual(Buffer.from('3'));
  expect(await client.get('a/9')).toBeNull();
  expect(await client.get('a/9').exists()).toBe(false);
  const below = () => client.getAll().prefix('a/');
  expect(await below().numbers()).toEqual({ 'a/1': 3, 'a/2': 1, 'a/3': 2 });
  expect(await below().count()).toBe(3);
  expect(await below().keys()).toEqual(['a/1', 'a/2', 'a/3']);
  expect(await below().limit(2).keys()).toEqual(['a/1', 'a/2']);
  expect(await below().sort('Value', 'Ascend').keys()).toEqual(['a/2', 'a/3', 'a/1']);
  expect(await below().sort('Create', 'Descend').keys()).toEqual(['a/3', 'a/2', 'a/1']);
  expect(await client.getAll().inRange({ start: 'a/2', end: 'b' }).keys()).toEqual(['a/2', 'a/3']);
  expect(await client.get('b').serializable(true)).toBe('4');
});

it('reads as of a revision until that is compacted', async () => {
  const { header } = await client.put('old').value('1');
  const before = await client.put('old').value('2').getPrevious();
  expect(before.value.toString()).toBe('1');
  expect(await client.get('old').revision(header.revision)).toBe('1');
  expect(await client.getAll().prefix('old').minModRevision(header.revision).count()).toBe(1);
  expect(await client.getAll().prefix('old').maxModRevision(header.revision).keys()).toEqual([]);
  await client.kv.compact({ revision: before.header.revision, physical: true });
  const gone = client.get('old').revision(header.revision).exec();
  await expect(gone).rejects.toBeInstanceOf(GRPCOutOfRangeError);
});

it('deletes one key, a prefix and a range, and gives what was there', async () => {
  for (const key of ['d/1', 'd/2', 'd/3', 'd/4']) await client.put(key).value(key);
  const [first] = await client.delete().key('d/1').getPrevious();
  expect(first?.value.toString()).toBe('d/1');
  expect(await client.delete().inRange({ start: 'd/2', end: 'd/4' })).toMatchObject({
    deleted: '2',
  });
  expect(await client.delete().prefix('d/')).toMatchObject({ deleted: '1' });
  expect(await client.getAll().prefix('d/').count()).toBe(0);
});

it('compares and does one thing or the other', async () => {
  const swap = (from: string, to: string) =>
    client
      .if('t', 'Value', '==', from)
      .and('t', 'Lease', '==', 0)
      .then(client.put('t').value(to), client.get('t'))
      .else(client.get('t'), client.delete().key('t'))
      .commit();
  await client.put('t').value('1');
  const done = await swap('1', '2');
  expect(done.succeeded).toBe(true);
  expect(done.responses[1]?.response_range?.kvs[0]?.value.toString()).toBe('2');
  const refused = await swap('1', '3');
  expect(refused.succeeded).toBe(false);
  expect(refused.responses[0]?.response_range?.kvs[0]?.value.toString()).toBe('2');
  expect(refused.responses[1]?.response_delete_range?.deleted).toBe('1');
});

it('counts in software transactions that get into each other’s way, and loses none', async () => {
  const space = client.namespace('stm/');
  const add = (of: Etcd3) =>
    of
      .namespace('stm/')
      .stm({ retries: 20 })
      .transact(async (tx) => {
        const count = (await tx.get('count').number()) ?? 0;
        await tx.put('count').value(count + 1);
      });
  await Promise.all([client, other, client, other, client, other].map(add));
  expect(await space.get('count').number()).toBe(6);
  expect(await client.get('stm/count').number()).toBe(6);
});

it('watches a prefix from a revision on, with what was before, and only what it wants', async () => {
  const { header } = await client.put('w/1').value('a');
  await client.put('w/1').value('b');
  const told: string[] = [];
  const text = (kv?: IKeyValue) => kv?.value.toString() ?? '';
  const watcher = await client
    .watch()
    .prefix('w/')
    .startRevision(header.revision)
    .withPreviousKV()
    .create();
  watcher.on('put', (kv, was) => told.push(`put ${kv.key.toString()} ${text(was)}>${text(kv)}`));
  watcher.on('delete', (kv, was) => told.push(`delete ${kv.key.toString()} ${text(was)}`));
  const deletions: string[] = [];
  const filtered = await client.watch().key('w/1').only('delete').create();
  filtered.on('data', ({ events }) => deletions.push(...events.map(({ type }) => type)));
  await client.delete().key('w/1');
  await client.put('w/2').value('c');
  await eventually(() => {
    expect(told).toEqual(['put w/1 >a', 'put w/1 a>b', 'delete w/1 b', 'put w/2 >c']);
    expect(deletions).toEqual(['Delete']);
  });
  await watcher.cancel();
  await client.put('w/3').value('d');
  await client.delete().key('w/1');
  await client.put('w/1').value('e');
  await client.delete().key('w/1');
  await eventually(() => expect(deletions).toEqual(['Delete', 'Delete']));
  expect(told).toHaveLength(4);
  await filtered.cancel();
});

it('hears that what it wants to watch is compacted', async () => {
  const { header } = await client.put('c').value('1');
  const newer = await client.put('c').value('2');
  await client.kv.compact({ revision: newer.header.revision });
  const watcher = client.watch().key('c').startRevision(header.revision).watcher();
  const [error] = (await once(watcher, 'error')) as [Error];
  expect(error.message).toContain('Watcher canceled');
});

it('keeps a lease alive until it is revoked, with its keys', async () => {
  const lease = client.lease(SHORT_TTL);
  await lease.put('l').value('x');
  for (let times = 0; times < 4; times += 1) await once(lease, 'keepaliveSucceeded');
  expect(await other.get('l')).toBe('x');
  const ID = await lease.grant();
  expect(await other.leaseClient.leaseTimeToLive({ ID, keys: true })).toMatchObject({
    grantedTTL: `${SHORT_TTL}`,
    keys: [Buffer.from('l')],
  });
  expect((await other.leaseClient.leaseLeases()).leases.map((one) => one.ID)).toContain(ID);
  await lease.revoke();
  expect(await other.get('l')).toBeNull();
  const late = client.put('l').value('y').lease(ID).exec();
  await expect(late).rejects.toBeInstanceOf(EtcdLeaseInvalidError);
});

it('loses a lease that nobody keeps alive, with its keys, and says so', async () => {
  const lease = client.lease(SHORT_TTL, { autoKeepAlive: false });
  await lease.put('e').value('x');
  expect((await lease.keepaliveOnce()).TTL).toBe(`${SHORT_TTL}`);
  await eventually(async () => expect(await other.get('e')).toBeNull(), EXPIRES_WITHIN_MS);
  const lost = once(lease, 'lost');
  await expect(lease.keepaliveOnce()).rejects.toBeInstanceOf(EtcdLeaseInvalidError);
  await lost;
});

it('gives a lock to one at a time', async () => {
  const held = await client.lock('mutex').ttl(30).acquire();
  const second = () => other.lock('mutex').ttl(30);
  await expect(second().acquire()).rejects.toBeInstanceOf(EtcdLockFailedError);
  await held.release();
  expect(await second().do(() => other.get('mutex').exists())).toBe(true);
  expect(await client.get('mutex').exists()).toBe(false);
});

it('gives a lock to the next when its holder has died', async () => {
  const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLD], {
    cwd: REPOSITORY,
    env: { ...process.env, HOSTS: quorum.endpoints.join(',') },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  endWithUs(holder.pid!);
  await once(holder.stdout, 'data');
  await expect(other.lock('orphan').acquire()).rejects.toBeInstanceOf(EtcdLockFailedError);
  holder.kill('SIGKILL');
  const next = await eventually(() => other.lock('orphan').ttl(30).acquire(), EXPIRES_WITHIN_MS);
  await next.release();
});

it('elects, tells who observes, and elects the next when one resigns', async () => {
  const [here, there] = [client.election('e', 30), other.election('e', 30)];
  const first = here.campaign('one');
  await first.wait();
  const observer = await there.observe();
  await eventually(() => expect(observer.leader()).toBe('one'));
  const second = there.campaign('two');
  const elected = second.wait();
  await eventually(async () => {
    expect(await client.getAll().prefix('election/e/').count()).toBe(2);
  });
  await first.proclaim('still one');
  await eventually(() => expect(observer.leader()).toBe('still one'));
  expect(await there.leader()).toBe('still one');
  await first.resign();
  await elected;
  await eventually(() => expect(observer.leader()).toBe('two'));
  expect(await here.leader()).toBe('two');
  await second.resign();
  await observer.cancel();
});

it('tells of the members, of each one’s state, and of no users', async () => {
  const { members } = await client.cluster.memberList({ linearizable: true });
  expect(members.map(({ name }) => name).sort()).toEqual(['n1', 'n2', 'n3']);
  const { leader } = await client.maintenance.status();
  expect(members.map(({ ID }) => ID)).toContain(leader);
  await expect(client.getUsers()).rejects.toBeInstanceOf(GRPCNotImplementedError);
});
