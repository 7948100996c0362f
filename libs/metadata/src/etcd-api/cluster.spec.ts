import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MetadataState } from '../state/index.js';
import { Received, apiBench } from './etcd-client.fixture.js';
import type { ApiBench } from './etcd-client.fixture.js';
import type { TestNode } from './test-node.fixture.js';

let bench: ApiBench;
/** What etcd's clients call the only member. */
let member: string;
beforeAll(async () => {
  bench = await apiBench();
  member = String(bench.node.head().member);
});
afterAll(() => bench.close());

const call = <Response extends object = Record<string, unknown>>(
  method: string,
  request: object = {},
  headers: Record<string, string> = {},
) => bench.client.call<Response>(method, request, headers);
const put = (key: string, value = '') =>
  call('KV.Put', { key: Buffer.from(key), value: Buffer.from(value) });

/** The whole state of this moment. */
function snapshotOf(node: TestNode): Buffer {
  const steps = node.snapshot();
  const pieces: Uint8Array[] = [];
  for (let step = steps.next(); step.done !== true; step = steps.next()) pieces.push(step.value);
  return Buffer.concat(pieces);
}

describe('Cluster', () => {
  it('lists, adds, updates and removes members, and promotes none that is not there yet', async () => {
    const self = {
      ID: member,
      name: 'n1',
      peerURLs: [`http://${bench.node.peerAddress}`],
      clientURLs: ['http://127.0.0.1:7479'],
      isLearner: false,
    };
    const listed = await call<{ members: object[] }>('Cluster.MemberList');
    expect(listed.members).toEqual([self]);
    const added = await call<{ member: { ID: string }; members: object[] }>('Cluster.MemberAdd', {
      peerURLs: ['https://127.0.0.1:1/'],
      isLearner: true,
    });
    const { ID } = added.member;
    const learner = { ID, name: '', clientURLs: [], isLearner: true };
    const place = (address: string) => ({ ...learner, peerURLs: [`http://${address}`] });
    expect(added.member).toEqual(place('127.0.0.1:1'));
    expect(added.members).toHaveLength(2);
    expect(added.members).toContainEqual(place('127.0.0.1:1'));
    const peerURLs = ['127.0.0.1:2'];
    const updated = await call<{ members: object[] }>('Cluster.MemberUpdate', { ID, peerURLs });
    expect(updated.members).toContainEqual(place('127.0.0.1:2'));
    await expect(call('Cluster.MemberPromote', { ID })).rejects.toMatchObject({
      code: 9,
      details: 'etcdserver: can only promote a learner member which is in sync with leader',
    });
    expect(await call('Cluster.MemberRemove', { ID })).toMatchObject({ members: [self] });
  });

  it('names members that have not started by their ids for who asks so', async () => {
    type Listed = { members: { ID: string; name: string }[] };
    const names = ({ members }: Listed): string[] => members.map(({ name }) => name).sort();
    const asks = { 'pawl-member-id': '*' };
    for (const at of [1, 2]) {
      const peerURLs = [`http://127.0.0.1:${at}`];
      const learner = { peerURLs, isLearner: true };
      await call('Cluster.MemberAdd', learner, { 'pawl-member-id': `late-${at}` });
    }
    const listed = await call<Listed>('Cluster.MemberList', {}, asks);
    expect(names(listed)).toEqual(['late-1', 'late-2', 'n1']);
    expect(names(await call<Listed>('Cluster.MemberList'))).toEqual(['', '', 'n1']);
    const added = listed.members.filter(({ name }) => name !== 'n1');
    const [first, second] = added.map(({ ID }) => ID);
    const left = await call<Listed>('Cluster.MemberRemove', { ID: first }, asks);
    expect(names(left)).toEqual([added[1]?.name, 'n1']);
    await call('Cluster.MemberRemove', { ID: second });
  });

  it('asks the quorum for the list if the client says so', async () => {
    const calls: string[] = [];
    bench.node.before = async (what) => void calls.push(what);
    await call('Cluster.MemberList');
    await call('Cluster.MemberList', { linearizable: true });
    bench.node.before = () => Promise.resolve();
    expect(calls).toEqual(['serializable members', 'members']);
  });

  it('refuses in the words of etcd', async () => {
    const refusals: [string, object, number, string][] = [
      ['MemberAdd', { peerURLs: [] }, 3, 'given member URLs are invalid'],
      ['MemberAdd', { peerURLs: ['a:1', 'b:2'] }, 3, 'given member URLs are invalid'],
      ['MemberAdd', { peerURLs: ['ftp://a:1'] }, 3, 'given member URLs are invalid'],
      ['MemberAdd', { peerURLs: ['http://a'] }, 3, 'given member URLs are invalid'],
      [
        'MemberAdd',
        { peerURLs: [`http://${bench.node.peerAddress}`] },
        9,
        'Peer URLs already exists',
      ],
      ['MemberRemove', { ID: 5 }, 5, 'member not found'],
      [
        'MemberRemove',
        { ID: member },
        9,
        're-configuration failed due to not enough started members',
      ],
      ['MemberUpdate', { ID: 5, peerURLs: ['http://a:1'] }, 5, 'member not found'],
      ['MemberPromote', { ID: member }, 9, 'can only promote a learner member'],
    ];
    for (const [method, request, code, text] of refusals) {
      await expect(call(`Cluster.${method}`, request)).rejects.toMatchObject({
        code,
        details: `etcdserver: ${text}`,
      });
    }
  });
});

describe('Maintenance', () => {
  it('tells the status of this member, and what is wrong', async () => {
    expect(await call('Maintenance.Status')).toMatchObject({
      version: '3.4.23',
      leader: member,
      isLearner: false,
      errors: [],
      header: { member_id: member },
    });
    expect((await call<{ raftTerm: string }>('Maintenance.Status')).raftTerm).toBe(
      `${bench.node.head().term}`,
    );
    bench.node.leaderless = true;
    await call('Maintenance.Alarm', { action: 1, memberID: 7, alarm: 1 });
    await call('Maintenance.Alarm', { action: 1, memberID: 0, alarm: 1 });
    const { errors, leader } = await call('Maintenance.Status');
    expect(leader).toBe('0');
    const alarms = ['alarm:NOSPACE ', 'memberID:7 alarm:NOSPACE '];
    expect(errors).toEqual(['etcdserver: no leader', ...alarms]);
    bench.node.leaderless = false;
    await call('Maintenance.Alarm', { action: 2, memberID: 0, alarm: 1 });
    await call('Maintenance.Alarm', { action: 2, memberID: 7, alarm: 1 });
  });

  it('keeps as many alarms as the members of a quorum may raise', async () => {
    const members = Array.from({ length: 128 }, (_, at) => at + 1);
    const alarm = (action: number, memberID: number) =>
      call('Maintenance.Alarm', { action, memberID, alarm: 2 });
    for (const member of members) await alarm(1, member);
    await expect(alarm(1, 129)).rejects.toMatchObject({
      code: 8,
      details: 'etcdserver: too many members in cluster',
    });
    for (const member of members) await alarm(2, member);
    expect(await call('Maintenance.Alarm')).toMatchObject({ alarms: [] });
  });

  it('raises, lists and clears alarms; a full store takes no more from users', async () => {
    const alarm = (request: object) => call('Maintenance.Alarm', request);
    const on = { memberID: '0', alarm: 1 };
    expect(await alarm({ action: 1, alarm: 1 })).toMatchObject({ alarms: [on] });
    expect(await alarm({})).toMatchObject({ alarms: [on] });
    expect(await alarm({ alarm: 2 })).toMatchObject({ alarms: [] });
    await expect(put('full')).rejects.toMatchObject({
      code: 8,
      details: 'etcdserver: mvcc: database space exceeded',
    });
    expect(await alarm({ action: 2, alarm: 1 })).toMatchObject({ alarms: [on] });
    expect(await alarm({ action: 2, alarm: 1 })).toMatchObject({ alarms: [] });
    await put('full');
    for (const wrong of [{ action: 1 }, { action: 9, alarm: 1 }, { alarm: 17 }]) {
      await expect(alarm(wrong)).rejects.toMatchObject({ code: 3 });
    }
  });

  it('hashes the keys at a revision', async () => {
    await put('h', '1');
    const at = bench.node.head().revision;
    const before = await call<{ hash: number }>('Maintenance.HashKV', { revision: at });
    await put('h', '2');
    const now = await call<{ hash: number }>('Maintenance.HashKV');
    expect(now.hash).not.toBe(before.hash);
    expect(await call('Maintenance.HashKV', { revision: at })).toMatchObject({
      hash: before.hash,
      compact_revision: '-1',
    });
    expect((await call<{ hash: number }>('Maintenance.Hash')).hash).toBe(now.hash);
    await expect(call('Maintenance.HashKV', { revision: at + 100 })).rejects.toMatchObject({
      code: 11,
    });
  });

  it('defragments, and moves the leadership', async () => {
    const { header } = await call<{ header: { raft_term: string } }>('Maintenance.Defragment');
    expect(header.raft_term).toBe(`${bench.node.head().term}`);
    const move = (targetID: string) => call('Maintenance.MoveLeader', { targetID });
    await expect(move('5')).rejects.toMatchObject({
      code: 9,
      details: 'etcdserver: bad leader transferee',
    });
    await move(member);
  });

  it('streams a snapshot of one moment, with how much is left and a hash at its end', async () => {
    for (let at = 0; at < 30; at += 1) await put(`s${at}`, 'x'.repeat(9000));
    const whole = snapshotOf(bench.node);
    const stream = bench.client.download<{ remaining_bytes: string; blob: Buffer }>(
      'Maintenance.Snapshot',
    );
    const received = new Received(stream);
    await received.count(1);
    await put('later');
    expect(await received.end()).toBeNull();
    const file = Buffer.concat(received.all.map(({ blob }) => blob));
    let left = file.length;
    for (const { remaining_bytes, blob } of received.all) {
      left -= blob.length;
      expect(remaining_bytes).toBe(String(left));
    }
    expect(left).toBe(0);
    expect(received.all.length).toBeGreaterThan(4);
    expect(file.length % 512).toBe(32);
    const [content, hash] = [file.subarray(0, -32), file.subarray(-32)];
    expect(createHash('sha256').update(content).digest()).toEqual(hash);
    expect(Buffer.compare(content.subarray(0, whole.length), whole)).toBe(0);
    const restored = new MetadataState();
    restored.restore(whole);
    expect(restored.revision).toBe(bench.node.head().revision - 1);
  });
});
