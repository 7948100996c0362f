import { describe, expect, it } from 'vitest';
import { NO_LEASE } from '../state/index.js';
import { SimulatedQuorum, addressOf } from '../testing/simulated-quorum.js';
import type { QuorumProcess, SimulatedQuorumOptions } from '../testing/simulated-quorum.js';
import { textToBytes } from '../text.js';
import { decodeAnswer, encodeRequest } from './peer-codec.js';
import type { QuorumNode } from './quorum-node.js';

const IDS = ['a', 'b', 'c'];
const write = (node: QuorumNode, key: string) =>
  node.txn({
    compare: [],
    success: [{ kind: 'put', key: textToBytes(key), value: textToBytes(''), lease: NO_LEASE }],
    failure: [],
  });

let seed = 200;
async function quorum(options: Partial<SimulatedQuorumOptions> = {}): Promise<SimulatedQuorum> {
  const world = new SimulatedQuorum({ seed: (seed += 1), founders: IDS, ...options });
  await world.start();
  await recorded(world);
  return world;
}

/** Until every member has said of itself what it has to say. */
async function recorded(world: SimulatedQuorum): Promise<void> {
  await world.leader();
  await world.time.until(() =>
    [...world.processes.values()].every(({ id, host }) => host.state.member(id)?.name === id),
  );
}

async function numberOf(world: SimulatedQuorum, id: string): Promise<bigint> {
  const { node } = await world.leader();
  const member = (await world.wait(node.members())).find((one) => one.id === id);
  if (member === undefined) throw new Error(`${id} is no member`);
  return member.number;
}

const votersOf = ({ host }: QuorumProcess): readonly string[] => {
  const { voters, outgoing } = host.log.status().configuration;
  return outgoing.length > 0 ? [] : voters;
};

/** Until whoever leads sees exactly these vote, and every one of them has applied as much. */
async function untilVote(world: SimulatedQuorum, ...ids: string[]): Promise<void> {
  await world.time.until(() => {
    const leader = world.logs.leader();
    return leader !== null && votersOf(world.process(leader)).join() === ids.join();
  });
}

describe('members', () => {
  it('say who they are and where, on every node alike', async () => {
    const world = await quorum();
    for (const id of IDS) {
      const members = await world.wait(world.node(id).members());
      expect(members.map((member) => [member.id, member.name, member.learner])).toEqual(
        IDS.map((one) => [one, one, false]),
      );
      expect(new Set(members.map(({ number }) => number)).size).toBe(3);
    }
    world.node('b').announce({ clientAddresses: ['b:7479'] });
    await world.time.until(
      () => world.process('c').host.state.member('b')?.clientAddresses[0] === 'b:7479',
    );
    expect(world.node('c').head().revision).toBe(1);
  });

  it('that are added learn first, and vote once they have caught up', async () => {
    const world = await quorum({ log: { snapshotEntries: 30, catchUpEntries: 5 } });
    for (let at = 0; at < 100; at += 1) await world.wait(write(world.node('a'), `k${at}`));
    const added = await world.wait(
      world.node('b').addMember({ id: 'd', peerAddress: addressOf('d') }),
    );
    expect(added).toMatchObject({ ok: true, changed: { id: 'd', learner: true, name: '' } });
    await world.time.advance(3000);
    expect(votersOf(await world.leader())).toEqual(IDS);
    await world.start(['d']);
    await untilVote(world, 'a', 'b', 'c', 'd');
    await world.wait(write(world.node('d'), 'by-d'));
    expect(world.node('d').head().revision).toBe(102);
  });

  it('that are added as learners stay so until they are promoted', async () => {
    const world = await quorum();
    const { node } = await world.leader();
    await world.wait(node.addMember({ id: 'd', peerAddress: addressOf('d'), learner: true }));
    const number = await numberOf(world, 'd');
    expect(await world.wait(node.promoteMember(number))).toEqual({
      ok: false,
      refusal: 'not-caught-up',
    });
    await world.start(['d']);
    await recorded(world);
    await world.time.advance(2000);
    expect(votersOf(await world.leader())).toEqual(IDS);
    expect(await world.wait(world.node('d').promoteMember(number))).toMatchObject({
      ok: true,
      changed: { id: 'd', learner: false },
    });
    expect(await world.wait(node.promoteMember(number))).toEqual({
      ok: false,
      refusal: 'not-a-learner',
    });
  });

  it('are refused where they do not fit', async () => {
    const world = await quorum({ settings: { maxLearners: 1 } });
    const { node } = world.process('a');
    const add = (id: string, peerAddress = addressOf(id)) =>
      world.wait(node.addMember({ id, peerAddress, learner: true }));
    expect(await add('b')).toEqual({ ok: false, refusal: 'member-exists' });
    expect(await add('d', addressOf('b'))).toEqual({ ok: false, refusal: 'address-in-use' });
    await expect(add('d', 'nowhere')).rejects.toThrow(RangeError);
    expect(await add('d')).toMatchObject({ ok: true });
    expect(await add('e')).toEqual({ ok: false, refusal: 'too-many-learners' });
    expect(await world.wait(node.removeMember(77n))).toEqual({
      ok: false,
      refusal: 'member-not-found',
    });
    expect(await world.wait(node.updateMember(await numberOf(world, 'd'), addressOf('c')))).toEqual(
      { ok: false, refusal: 'address-in-use' },
    );
  });

  it('are not removed where the others would be no majority, or nobody is left', async () => {
    const world = await quorum();
    const leader = await world.leader();
    const [dead, alive] = IDS.filter((id) => id !== leader.id) as [string, string];
    const [deadNumber, aliveNumber] = [await numberOf(world, dead), await numberOf(world, alive)];
    world.crash(dead);
    await world.time.advance(2000);
    expect(await world.wait(leader.node.removeMember(aliveNumber))).toEqual({
      ok: false,
      refusal: 'unhealthy',
    });
    expect(await world.wait(leader.node.removeMember(deadNumber))).toMatchObject({ ok: true });
    expect(await world.wait(leader.node.removeMember(aliveNumber))).toMatchObject({ ok: true });
    const own = await numberOf(world, leader.id);
    expect(await world.wait(leader.node.removeMember(own))).toEqual({
      ok: false,
      refusal: 'last-voter',
    });
  });

  it('that are removed stop and say why, the leader after it has handed over', async () => {
    const world = await quorum();
    const leader = await world.leader();
    const number = await numberOf(world, leader.id);
    expect(await world.wait(leader.node.removeMember(number))).toMatchObject({ ok: true });
    await world.time.until(() => leader.failures.length > 0);
    expect(leader.failures.map(({ message }) => message)).toEqual([
      `node ${leader.id} was removed from the quorum`,
    ]);
    await expect(leader.node.range({ key: textToBytes('k') })).rejects.toMatchObject({
      done: 'no',
    });
    const next = await world.leader(leader.id);
    expect(await world.wait(next.node.members())).toHaveLength(2);
    expect(next.host.state.member(leader.id)).toBeNull();
    await world.wait(write(next.node, 'k'));
  });

  it('that were removed while they were down stop when they are back', async () => {
    const world = await quorum();
    const leader = await world.leader();
    const [away] = IDS.filter((id) => id !== leader.id) as [string];
    const number = await numberOf(world, away);
    world.logs.network.isolate(away);
    await world.time.advance(1500);
    expect(await world.wait(leader.node.removeMember(number))).toMatchObject({ ok: true });
    world.logs.network.heal();
    await world.time.advance(20_000);
    await world.wait(write(leader.node, 'undisturbed'));
    expect((await world.leader()).id).toBe(leader.id);
    expect(world.process(away).failures.map(({ message }) => message)).toEqual([
      `node ${away} was removed from the quorum`,
    ]);
  });

  it.each([
    ['under their ids', (id: string) => id],
    ['under new ids', (id: string) => `${id}2`],
  ])('come back though all others were replaced meanwhile, %s', async (_, idOf) => {
    const founders = [...IDS, 'd', 'e'];
    const startList = [...founders, ...founders.map((id) => `${id}2`)];
    const world = await quorum({ founders, startList, log: { snapshotEntries: 20 } });
    const away = 'e';
    const members = [...founders];
    world.logs.network.isolate(away, startList);
    /* It may have led. */
    await world.time.until(() => world.process(away).host.log.status().leader === null);
    for (const id of founders.filter((one) => one !== away)) {
      const number = await numberOf(world, id);
      const { node } = await world.leader();
      expect(await world.wait(node.removeMember(number))).toMatchObject({ ok: true });
      await world.time.until(() => world.process(id).failures.length > 0);
      world.crash(id);
      world.logs.wipe(id);
      const next = await world.leader();
      const joining = { id: idOf(id), peerAddress: addressOf(idOf(id)) };
      expect(await world.wait(next.node.addMember(joining))).toMatchObject({ ok: true });
      await world.start([idOf(id)]);
      members.splice(members.indexOf(id), 1, idOf(id));
      await untilVote(world, ...members.sort());
      await world.wait(write(world.node(idOf(id)), id));
    }
    world.logs.network.heal();
    await world.time.until(() => world.process(away).host.state.revision === 5);
    await world.wait(write(world.node(away), 'back'));
    expect(world.process(away).failures).toEqual([]);
  });

  it('answer nobody but members anything else than who the members are', async () => {
    const world = await quorum();
    const { log } = world.process('a').host;
    const b = { id: 'b', host: 'b', port: 7480 };
    const told = await world.wait(
      log.ask(b, encodeRequest({ kind: 'members', index: 0, inside: [], members: [] }), 1000),
    );
    expect(decodeAnswer(told)).toMatchObject({ kind: 'members', inside: IDS });
    const asked = log.ask(b, encodeRequest({ kind: 'propose', commands: [] }), 1000);
    await expect(world.wait(asked)).rejects.toThrow('only a member may ask for propose');
  });

  it('are reached where their record says', async () => {
    const world = await quorum();
    const number = await numberOf(world, 'c');
    const told: string[] = [];
    const { log } = world.process('a').host;
    const setPeers = log.setPeers.bind(log);
    log.setPeers = (peers) => {
      told.push(...peers.map(({ id, host, port }) => `${id}=${host}:${port}`));
      setPeers(peers);
    };
    expect(await world.wait(world.node('a').updateMember(number, 'elsewhere:9'))).toMatchObject({
      ok: true,
      changed: { id: 'c', peerAddress: 'elsewhere:9' },
    });
    expect(told).toContain('c=elsewhere:9');
    await world.wait(write(world.node('c'), 'k'));
  });

  it('do not hear a node that has lost its folder, which waits', async () => {
    const world = await quorum();
    const [wiped] = IDS.filter((id) => id !== world.logs.leader()) as [string];
    world.crash(wiped);
    world.logs.wipe(wiped);
    await world.start([wiped]);
    for (let round = 0; round < 3; round += 1) {
      const leader = await world.leader();
      await world.wait(write(leader.node, 'k'));
      world.crash(leader.id);
      await world.start([leader.id]);
    }
    expect(world.process(wiped).host.log.status()).toMatchObject({ lastIndex: 0 });
    const number = await numberOf(world, wiped);
    const { node } = await world.leader();
    expect(await world.wait(node.removeMember(number))).toMatchObject({ ok: true });
    const back = { id: wiped, peerAddress: addressOf(wiped) };
    expect(await world.wait(node.addMember(back))).toMatchObject({ ok: true });
    await untilVote(world, ...IDS);
    await world.wait(write(world.node(wiped), 'again'));
  });
});

/* Each stage is when, in milliseconds after the wish, the leader is killed. */
const STAGES = [0, 1, 2, 3, 4, 6, 8, 12, 20, 40, 100, 500];

describe('a change of the members', () => {
  it.each(STAGES)('is carried out though the leader is killed %d ms after the wish', async (ms) => {
    const world = await quorum();
    const leader = await world.leader();
    const [asked] = IDS.filter((id) => id !== leader.id) as [string];
    await world.wait(write(world.node(asked), 'before'));
    const adding = world.node(asked).addMember({ id: 'd', peerAddress: addressOf('d') });
    await world.start(['d']);
    await world.time.advance(ms);
    world.crash(leader.id);
    expect(await world.wait(adding)).toMatchObject({ ok: true });
    await world.start([leader.id]);
    await untilVote(world, 'a', 'b', 'c', 'd');
    const number = await numberOf(world, leader.id);
    const next = await world.leader();
    const [other] = [...world.processes.keys()].filter(
      (id) => id !== next.id && id !== leader.id,
    ) as [string];
    const removing = world.node(other).removeMember(number);
    await world.time.advance(ms);
    const second = await world.leader();
    /* Whom a process asked that died, nobody hears. */
    if (second.id !== leader.id && second.id !== other) {
      world.crash(second.id);
      await world.leader();
      await world.start([second.id]);
    }
    expect(await world.wait(removing)).toMatchObject({ ok: true });
    await untilVote(world, ...[...IDS, 'd'].filter((id) => id !== leader.id));
    await world.time.until(() => world.process(leader.id).failures.length > 0);
    await world.wait(write(world.node(other), 'after'));
    expect(world.node(other).head().revision).toBe(3);
  });
});
