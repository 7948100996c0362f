import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MetadataUnavailableError } from '../metadata-store.port.js';
import { Received, apiBench } from './etcd-client.fixture.js';
import type { ApiBench, Pending } from './etcd-client.fixture.js';
import type { EtcdLimits } from './limits.js';
import { RawClient } from './raw-client.fixture.js';

const UNKNOWN = 2;
const NOT_LEADER = { code: UNKNOWN, details: 'election: not leader' };
const bytes = (text: string): Buffer => Buffer.from(text);

interface LeaderKey {
  readonly name: Buffer;
  readonly key: Buffer;
  readonly rev: string;
  readonly lease: string;
}
interface Won {
  readonly header: { readonly revision: string };
  readonly leader: LeaderKey;
}
interface Led {
  readonly header: { readonly revision: string };
  readonly kv: { readonly key: Buffer; readonly value: Buffer; readonly lease: string };
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
const begin = (lease: number, value: string): Pending<Won> =>
  bench.client.begin<Won>('Election.Campaign', {
    name: bytes('e'),
    lease,
    value: bytes(value),
  });
const campaign = (lease: number, value: string) => begin(lease, value).answer;
const proclaim = (leader: Partial<LeaderKey>, value: string) =>
  bench.client.call('Election.Proclaim', { leader, value: bytes(value) });
const resign = (leader: Partial<LeaderKey>) => bench.client.call('Election.Resign', { leader });
const leads = () => bench.client.call<Led>('Election.Leader', { name: bytes('e') });
const observe = (headers: Record<string, string> = {}) =>
  new Received(bench.client.download<Led>('Election.Observe', { name: bytes('e') }, headers));
const told = ({ header, kv }: Led) => `${header.revision} ${kv.key} ${kv.value}`;
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not come to that');
    await turn();
  }
}
const watches = (count: number) => until(() => bench.node.watches.size === count);

describe('an election', () => {
  it('is won by the first, told by its key, and proclaimed anew by campaigning again', async () => {
    const nobody = { code: UNKNOWN, details: 'election: no leader' };
    await expect(leads()).rejects.toMatchObject(nobody);
    await grant(120);
    const leader = { name: bytes('e'), key: bytes('e/78'), rev: '2', lease: '120' };
    expect(await campaign(120, 'one')).toMatchObject({ header: { revision: '2' }, leader });
    expect(await campaign(120, 'one')).toMatchObject({ header: { revision: '2' }, leader });
    expect(told(await leads())).toBe('2 e/78 one');
    expect(await campaign(120, 'two')).toMatchObject({ header: { revision: '2' }, leader });
    expect(told(await leads())).toBe('3 e/78 two');
    expect(await proclaim(leader, 'three')).toMatchObject({ header: { revision: '4' } });
    expect(told(await leads())).toBe('4 e/78 three');
    expect(await resign(leader)).toMatchObject({ header: { revision: '5' } });
    await expect(leads()).rejects.toMatchObject(nobody);
  });

  it('goes to the next when its leader resigns, which whoever knows its key may do', async () => {
    for (const lease of [1, 2]) await grant(lease);
    const { leader } = await campaign(1, 'one');
    const next = begin(2, 'two');
    await watches(2);
    /* Of another revision, it is not the one that leads. */
    expect(await resign({ ...leader, rev: '1' })).toMatchObject({ header: { revision: '3' } });
    expect(told(await leads())).toBe('3 e/1 one');
    expect(await resign({ key: leader.key, rev: leader.rev })).toMatchObject({
      header: { revision: '4' },
    });
    /* The header is of when it began. */
    expect(await next.answer).toMatchObject({ header: { revision: '3' }, leader: { rev: '3' } });
    await expect(proclaim(leader, 'late')).rejects.toMatchObject(NOT_LEADER);
    expect(await resign(leader)).toMatchObject({ header: { revision: '4' } });
    expect(told(await leads())).toBe('4 e/2 two');
  });

  it('is not told to be won by who lost its place meanwhile', async () => {
    for (const lease of [1, 2]) await grant(lease);
    await campaign(1, 'one');
    const second = begin(2, 'two');
    await watches(2);
    await bench.client.call('Lease.LeaseRevoke', { ID: 2 });
    await expect(second.answer).rejects.toMatchObject(NOT_LEADER);
    await watches(0);
  });

  it('keeps no place of who gives up, though it was there before', async () => {
    for (const lease of [1, 2]) await grant(lease);
    const { leader } = await campaign(1, 'one');
    const [first, again] = [begin(2, 'two'), begin(2, 'three')];
    await watches(4);
    again.cancel();
    await expect(first.answer).rejects.toMatchObject(NOT_LEADER);
    await watches(0);
    await resign(leader);
    await expect(leads()).rejects.toMatchObject({ details: 'election: no leader' });
  });

  it('is refused in the words of etcd, without their codes', async () => {
    const lacking = { code: UNKNOWN, details: '"leader" field must be provided' };
    for (const method of ['Proclaim', 'Resign']) {
      await expect(bench.client.call(`Election.${method}`, {})).rejects.toMatchObject(lacking);
    }
    const noKey = { code: UNKNOWN, details: 'etcdserver: key is not provided' };
    for (const ask of [proclaim({ lease: '1' }, 'x'), resign({})]) {
      await expect(ask).rejects.toMatchObject(noKey);
    }
    const noLease = { code: UNKNOWN, details: 'etcdserver: requested lease not found' };
    await expect(campaign(999, 'x')).rejects.toMatchObject(noLease);
    await grant(1);
    const { leader } = await campaign(1, 'one');
    await expect(proclaim({ ...leader, lease: '999' }, 'x')).rejects.toMatchObject(noLease);
  });

  it('gives a leader that proclaims without a lease one of 60 s', async () => {
    await grant(1);
    const { leader } = await campaign(1, 'one');
    await proclaim({ ...leader, lease: '0' }, 'two');
    const { kv } = await leads();
    const time = await bench.client.call('Lease.LeaseTimeToLive', { ID: kv.lease });
    expect(time).toMatchObject({ grantedTTL: '60' });
    await expect(proclaim({ ...leader, rev: '9', lease: '0' }, 'x')).rejects.toMatchObject(
      NOT_LEADER,
    );
    const { leases } = await bench.client.call<{ leases: object[] }>('Lease.LeaseLeases', {});
    expect(leases).toHaveLength(2);
  });
});

describe('an observer', () => {
  it('is told of the first leader, what it proclaims, and of those after it', async () => {
    const early = observe();
    await watches(1);
    for (const lease of [1, 2, 3]) await grant(lease);
    const first = await campaign(1, 'a');
    await early.count(1);
    const [second, third] = [begin(2, 'b'), begin(3, 'c')];
    await watches(5);
    const late = observe();
    await late.count(1);
    await proclaim(first.leader, 'A');
    await early.count(2);
    await bench.client.call('Lease.LeaseRevoke', { ID: 1 });
    const { leader } = await second.answer;
    await early.count(3);
    await resign(leader);
    await resign((await third.answer).leader);
    await watches(2);
    await campaign(2, 'again');
    await early.count(5);
    const all = ['2 e/1 a', '5 e/1 A', '6 e/2 b', '7 e/3 c', '9 e/2 again'];
    expect(early.all.map(told)).toEqual(all);
    await late.count(5);
    expect(late.all.map(told)).toEqual(['4 e/1 a', ...all.slice(1)]);
    early.stream.cancel();
    late.stream.cancel();
    await watches(0);
  });

  it('goes on across a time without a leader of the quorum, unless it asks for one', async () => {
    await reopen({ leaderlessMs: 30 });
    await grant(1);
    let failures = 0;
    bench.node.before = (call) => {
      if (call !== 'range' || failures === 2) return Promise.resolve();
      failures += 1;
      return Promise.reject(new MetadataUnavailableError('nobody leads', 'no'));
    };
    const [patient, asking] = [observe(), observe({ hasleader: 'true' })];
    await watches(2);
    bench.node.leaderless = true;
    expect(await asking.end()).toMatchObject({ code: 14, details: 'etcdserver: no leader' });
    await watches(1);
    await campaign(1, 'a');
    expect((await patient.count(1)).map(told)).toEqual(['2 e/1 a']);
    patient.stream.cancel();
  });

  it('ends with the server', async () => {
    const observer = observe();
    await watches(1);
    const end = observer.end();
    await bench.server.close();
    expect(await end).toMatchObject({ code: 14, details: 'etcdserver: server stopped' });
    await watches(0);
  });

  it('counts among those who wait', async () => {
    await reopen({ waits: 1 });
    const observer = observe();
    await watches(1);
    const tooMany = { code: 8, details: 'etcdserver: too many requests' };
    expect(await observe().end()).toMatchObject(tooMany);
    await grant(1);
    await expect(campaign(1, 'a')).rejects.toMatchObject(tooMany);
    observer.stream.cancel();
    await watches(0);
    await campaign(1, 'a');
  });

  it('that does not read has one proclamation outstanding, and all of them are bounded', async () => {
    await reopen({ observedBytes: 150_000 });
    await grant(1);
    const value = 'x'.repeat(100_000);
    const { leader } = await campaign(1, value);
    const raw = new RawClient(bench.server.address.port, 1000);
    const slow = raw.ask('Election.Observe', { name: bytes('e') });
    slow.pause();
    await watches(0);
    await new Promise((resolve) => slow.once('response', resolve));
    expect(await observe().end()).toMatchObject({
      code: 8,
      details: 'etcdserver: too many requests',
    });
    await raw.close();
    /* What it had outstanding went with it. */
    await proclaim(leader, value);
    await until(async () => {
      const again = observe();
      const some = await again.count(1).then(
        () => true,
        () => false,
      );
      again.stream.cancel();
      return some;
    });
  });
});
