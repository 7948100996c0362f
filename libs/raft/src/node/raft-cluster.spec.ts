import { afterEach, describe, expect, it, vi } from 'vitest';
import { SimulatedDiskError, SimulatedFolder } from '../testing/index.js';
import { Cluster } from './cluster.fixture.js';
import type { ClusterMember } from './cluster.fixture.js';

vi.setConfig({ testTimeout: 60_000 });

const open: Cluster[] = [];
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster.stopAll();
});

async function start(...args: Parameters<typeof Cluster.start>): Promise<Cluster> {
  const cluster = await Cluster.start(...args);
  open.push(cluster);
  return cluster;
}

const ABC = ['a', 'b', 'c'];
const numbered = (count: number, what = 'command'): string[] =>
  Array.from({ length: count }, (_, at) => `${what} ${at}`);

async function expectAll(cluster: Cluster, commands: readonly string[]): Promise<void> {
  for (const member of cluster.members.values()) {
    await member.until(() => member.commands.length >= commands.length);
    expect(member.commands).toEqual(commands);
  }
}

/** Whoever does not lead. */
async function follower(cluster: Cluster): Promise<ClusterMember> {
  const leader = await cluster.leader();
  return cluster.others(leader.id)[0]!;
}

describe('three nodes', () => {
  it('elect one, and apply the same commands in the same order', async () => {
    const cluster = await start(ABC);
    const commands = numbered(50);
    await cluster.write(...commands);
    await expectAll(cluster, commands);
  });

  it('go on without their leader, which rejoins with what it had promised', async () => {
    const cluster = await start(ABC);
    await cluster.write(...numbered(10, 'before'));
    const { id } = await cluster.leader();
    await cluster.crash(id);
    await cluster.write(...numbered(10, 'without'));
    await cluster.add(id);
    await cluster.write('after');
    await expectAll(cluster, [...numbered(10, 'before'), ...numbered(10, 'without'), 'after']);
  });

  it('have everything after they all lost power at once (#4)', async () => {
    const cluster = await start(ABC, { snapshotEntries: 20, segmentBytes: 2000 });
    const commands = numbered(70);
    await cluster.write(...commands);
    await Promise.all(ABC.map((id) => cluster.crash(id)));
    for (const id of ABC) await cluster.add(id);
    await cluster.write('after');
    await expectAll(cluster, [...commands, 'after']);
  });

  it('bring one that was away up to date from the end of the log', async () => {
    const cluster = await start(ABC, { snapshotEntries: 20 });
    const away = await follower(cluster);
    await cluster.stop(away.id);
    await cluster.write(...numbered(90));
    expect((await cluster.leader()).node.status().snapshotIndex).toBeGreaterThan(40);
    const back = await cluster.add(away.id);
    await expectAll(cluster, numbered(90));
    expect(back.restored).toBe(0);
  });

  it('send one that lags too far a snapshot, and it goes on from there, also restarted', async () => {
    const cluster = await start(ABC, { snapshotEntries: 20, trailingBytes: 0 });
    const away = await follower(cluster);
    await cluster.stop(away.id);
    await cluster.write(...numbered(90));
    const leader = await cluster.leader();
    await leader.until(() => leader.node.status().snapshotIndex > 60);
    const back = await cluster.add(away.id);
    await back.until(() => back.commands.length === 90);
    expect(back.restored).toBe(1);
    expect(back.node.status().snapshotIndex).toBeGreaterThan(60);
    await cluster.write('after');
    await back.until(() => back.commands.length === 91);
    await cluster.crash(away.id);
    await cluster.add(away.id);
    await expectAll(cluster, [...numbered(90), 'after']);
  });

  it('hand leadership over when the leader stops, without waiting for an election', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const leader = await cluster.leader();
    const { term } = leader.node.status();
    const asked: string[] = [];
    for (const { link } of cluster.others(leader.id)) {
      link.passes = (message) => {
        if (message.type === 'pre-vote' || message.type === 'vote') asked.push(message.type);
        return true;
      };
    }
    await cluster.stop(leader.id);
    const next = await cluster.leader();
    expect(next.node.status().term).toBe(term + 1);
    expect(new Set(asked)).toEqual(new Set(['vote']));
    expect(leader.node.propose(Buffer.from('y'))).toEqual({ ok: false, reason: 'stopped' });
  });

  it('hand leadership over when they are told to', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const leader = await cluster.leader();
    const heir = cluster.others(leader.id)[0]!;
    expect(heir.node.transfer(leader.id)).toBe(false);
    expect(leader.node.transfer(heir.id)).toBe(true);
    await heir.status(({ role }) => role === 'leader');
    await leader.status(({ leader: known }) => known === heir.id);
    expect(leader.statuses.at(-1)).toMatchObject({ role: 'follower', leader: heir.id });
  });

  it('lose what a leader took and could not spread, and say so by another term', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const leader = await cluster.leader();
    leader.link.passes = () => false;
    const lost = leader.node.propose(Buffer.from('lost'));
    if (!lost.ok) throw new Error(lost.reason);
    const others = cluster.others(leader.id);
    const next = await cluster.leader(others);
    next.node.propose(Buffer.from('instead'));
    leader.link.passes = () => true;
    await cluster.leader();
    await cluster.write('after');
    await expectAll(cluster, ['x', 'instead', 'after']);
    const places = [...leader.places.values()];
    expect(places.some(({ index, term }) => index >= lost.index && term > lost.term)).toBe(true);
  });
});

describe('the membership', () => {
  it('grows by one that joins, which begins with nothing and is fed', async () => {
    const cluster = await start(ABC, { snapshotEntries: 15 });
    await cluster.write(...numbered(40));
    const joining = await cluster.add('d');
    expect(joining.node.status()).toMatchObject({ leader: null, lastIndex: 0 });
    await cluster.change({ addLearners: ['d'] });
    await joining.until(() => joining.commands.length === 40);
    await cluster.change({ addVoters: ['d'] });
    await joining.status(({ configuration }) => configuration.voters.length === 4);
    await cluster.write('after');
    await cluster.crash('d');
    await cluster.add('d');
    await expectAll(cluster, [...numbered(40), 'after']);
  });

  it('shrinks, also by its leader, and the one that left does not disturb the rest', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const leader = await cluster.leader();
    await cluster.change({ remove: [leader.id] });
    const rest = cluster.others(leader.id);
    const next = await cluster.leader(rest);
    cluster.connect(rest.map(({ id }) => id));
    const { term } = next.node.status();
    await leader.status(({ role }) => role !== 'leader');
    cluster.members.delete(leader.id);
    await cluster.write(...numbered(20));
    await expectAll(cluster, ['x', ...numbered(20)]);
    expect(next.node.status()).toMatchObject({ role: 'leader', term });
    await leader.node.stop();
  });

  it('replaces one whose disk is gone by a new one under the same id', async () => {
    const cluster = await start(ABC, { snapshotEntries: 15, trailingBytes: 0 });
    await cluster.write(...numbered(40));
    const dead = await follower(cluster);
    await cluster.crash(dead.id);
    cluster.folders.delete(dead.id);
    await cluster.change({ remove: [dead.id] });
    cluster.connect();
    const fresh = await cluster.add(dead.id, { founders: null });
    await cluster.change({ addLearners: [dead.id] });
    await fresh.until(() => fresh.commands.length === 40);
    await cluster.change({ addVoters: [dead.id] });
    await cluster.write('after');
    await expectAll(cluster, [...numbered(40), 'after']);
  });

  it('refuses a second folder of an id that it knows', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const dead = await follower(cluster);
    await cluster.crash(dead.id);
    const fresh = await cluster.add(dead.id, { folder: SimulatedFolder.empty(), founders: null });
    for (const member of cluster.others(dead.id)) {
      await member.until(() =>
        member.problems.some((text) => /a second node with the id/.test(text)),
      );
    }
    const leader = await cluster.leader(cluster.others(dead.id));
    leader.node.propose(Buffer.from('without it'));
    await leader.node.barrier(10_000);
    expect(leader.commands).toEqual(['x', 'without it']);
    expect(fresh.node.status()).toMatchObject({ leader: null, lastIndex: 0 });
  });

  it('refuses a folder that is not the one its peers were told of', async () => {
    const cluster = new Cluster(ABC);
    open.push(cluster);
    for (const id of ABC) await cluster.add(id);
    const [a, , c] = ABC.map((id) => cluster.member(id));
    await cluster.write('x');
    for (const member of [a!, cluster.member('b')]) {
      const peers = cluster.others(member.id).map(({ address }) => {
        return address.id === 'c' ? { ...address, folderId: 'another' } : address;
      });
      member.node.setPeers(peers);
    }
    await c!.status(({ leader }) => leader === null);
    await a!.until(() => a!.problems.some((text) => /named in the member table/.test(text)));
    await cluster.leader(cluster.others('c'));
  });
});

describe('a barrier', () => {
  it('waits on every node until all that was committed is applied there', async () => {
    const cluster = await start(ABC);
    for (let round = 0; round < 10; round += 1) {
      await cluster.write(`${round}`);
      for (const member of cluster.members.values()) {
        await member.node.barrier(10_000);
        expect(member.commands).toHaveLength(round + 1);
      }
    }
  });

  it('never passes on a leader that was cut off, and passes elsewhere', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const leader = await cluster.leader();
    leader.link.passes = () => false;
    const cut = leader.node.barrier(10_000);
    let passed = false;
    cut.then(
      () => (passed = true),
      () => undefined,
    );
    const next = await cluster.leader(cluster.others(leader.id));
    next.node.propose(Buffer.from('y'));
    await next.node.barrier(10_000);
    expect(next.commands).toEqual(['x', 'y']);
    expect(passed).toBe(false);
    leader.link.passes = () => true;
    await cut;
    expect(leader.commands).toEqual(['x', 'y']);
  });

  it('rejects at its deadline, and when the node stops', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const a = cluster.member('a');
    await cluster.crash('b');
    await cluster.crash('c');
    await expect(a.node.barrier(50)).rejects.toMatchObject({ name: 'BarrierDeadlineError' });
    const waiting = expect(a.node.barrier(60_000)).rejects.toThrow(/node a is stopped/);
    await cluster.stop('a');
    await waiting;
  });

  it('is asked for anew when the leader that was asked is gone', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const leader = await cluster.leader();
    const asking = cluster.others(leader.id)[0]!;
    leader.link.passes = ({ type }) => type !== 'read-response';
    const reached = asking.node.barrier(20_000);
    await cluster.crash(leader.id);
    await reached;
  });
});

describe('a disk', () => {
  it('that hangs under the leader costs it its leadership, and nothing else', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const leader = await cluster.leader();
    const folder = cluster.folders.get(leader.id) as SimulatedFolder;
    let goOn = (): void => undefined;
    const hangs = new Promise<void>((resolve) => (goOn = resolve));
    folder.before = () => hangs;
    expect(leader.node.propose(Buffer.from('y'))).toMatchObject({ ok: true });
    const others = cluster.others(leader.id);
    const next = await cluster.leader(others);
    await leader.status(({ role }) => role === 'follower');
    next.node.propose(Buffer.from('z'));
    await Promise.all(others.map(({ node }) => node.barrier(10_000)));
    const after = [...next.commands];
    folder.before = () => undefined;
    goOn();
    await leader.node.barrier(10_000);
    await expectAll(cluster, after);
    expect(leader.failures).toEqual([]);
  });

  it('that hangs for good does not keep a node from stopping', async () => {
    const cluster = await start(['a'], { stopMs: 20 });
    await cluster.write('x');
    const folder = cluster.folders.get('a') as SimulatedFolder;
    folder.before = () => new Promise(() => undefined);
    cluster.member('a').node.propose(Buffer.from('y'));
    await expect(cluster.member('a').node.stop()).rejects.toThrow(/does not answer/);
    cluster.members.clear();
  });

  it('that fails under the leader stops it for good; the others go on', async () => {
    const cluster = await start(ABC);
    await cluster.write('x');
    const leader = await cluster.leader();
    const folder = cluster.folders.get(leader.id) as SimulatedFolder;
    folder.before = ({ op }) => {
      if (op === 'sync') throw new SimulatedDiskError('EIO');
    };
    const said: string[] = [];
    leader.node.propose(Buffer.from('y'));
    await leader.until(() => leader.failures.length === 1);
    leader.link.passes = ({ type }) => {
      said.push(type);
      return true;
    };
    expect(leader.node.propose(Buffer.from('z'))).toEqual({ ok: false, reason: 'stopped' });
    expect(leader.node.status().leader).toBeNull();
    await expect(leader.node.barrier(1000)).rejects.toThrow(/stopped for good: EIO/);
    folder.before = () => undefined;
    await cluster.crash(leader.id);
    await cluster.write('after');
    await cluster.add(leader.id);
    const all = await cluster.leader();
    await all.until(() => all.commands.at(-1) === 'after');
    await expectAll(cluster, all.commands);
    expect(said).toEqual([]);
  });
});

describe('a request', () => {
  it('is answered by the host of the one that was asked', async () => {
    const cluster = await start(['a', 'b']);
    await cluster.leader();
    const [a, b] = [cluster.member('a'), cluster.member('b')];
    b.answer = async (body, from) => Buffer.from(`${from} asked ${Buffer.from(body).toString()}`);
    const answer = await a.node.request('b', Buffer.from('this'), 10_000);
    expect(Buffer.from(answer).toString()).toBe('a asked this');
    b.answer = () => Promise.reject(new Error('not here'));
    await expect(a.node.request('b', Buffer.from('that'), 10_000)).rejects.toMatchObject({
      outcome: 'refused',
      message: 'not here',
    });
    await expect(a.node.request('x', Buffer.from('that'), 10_000)).rejects.toMatchObject({
      outcome: 'unsent',
    });
  });

  it('that was sent has an unknown outcome when the other is gone', async () => {
    const cluster = await start(['a', 'b']);
    await cluster.leader();
    const [a, b] = [cluster.member('a'), cluster.member('b')];
    let asked = (): void => undefined;
    const arrived = new Promise<void>((resolve) => (asked = resolve));
    b.answer = () => {
      asked();
      return new Promise(() => undefined);
    };
    const lost = expect(a.node.request('b', Buffer.from('this'), 60_000)).rejects.toMatchObject({
      outcome: 'unknown',
    });
    await arrived;
    await cluster.crash('b');
    await lost;
    await a.node.stop();
    cluster.members.clear();
    await expect(a.node.request('b', Buffer.from('x'), 1000)).rejects.toMatchObject({
      outcome: 'unsent',
    });
  });
});
