import { describe, expect, it, vi } from 'vitest';
import { NO_LEASE } from '../state/index.js';
import { SimulatedQuorum, addressOf } from '../testing/simulated-quorum.js';
import type { QuorumProcess } from '../testing/simulated-quorum.js';
import { textToBytes } from '../text.js';

/* Many simulated quorums, on a machine that may be busy. */
vi.setConfig({ testTimeout: 120_000 });

const IDS = ['a', 'b', 'c'];

const write = ({ node }: QuorumProcess, key: string, length = 1) =>
  node.txn({
    compare: [],
    success: [
      { kind: 'put', key: textToBytes(key), value: new Uint8Array(length), lease: NO_LEASE },
    ],
    failure: [],
  });

/** Until the leader's configuration has exactly these voters, and is committed. */
async function untilVote(world: SimulatedQuorum, ...ids: string[]): Promise<QuorumProcess> {
  const led = (): QuorumProcess | null => {
    const leader = world.logs.leader();
    if (leader === null) return null;
    const { configuration, commitIndex, lastIndex } = world.process(leader).host.log.status();
    const { voters, outgoing } = configuration;
    const settled = outgoing.length === 0 && commitIndex === lastIndex;
    return settled && voters.join() === ids.join() ? world.process(leader) : null;
  };
  await world.time.until(() => led() !== null);
  return led()!;
}

async function add(world: SimulatedQuorum, id: string, ...then: string[]): Promise<void> {
  const { node } = await world.leader();
  const added = await world.wait(node.addMember({ id, peerAddress: addressOf(id) }));
  expect(added).toMatchObject({ ok: true });
  await world.start([id]);
  await untilVote(world, ...then);
}

async function remove(world: SimulatedQuorum, id: string, ...then: string[]): Promise<void> {
  const { node } = await world.leader();
  const members = await world.wait(node.members());
  const { number } = members.find((one) => one.id === id)!;
  void node.removeMember(number).catch(() => undefined);
  await untilVote(world, ...then);
}

async function threeFounders(seed: number): Promise<SimulatedQuorum> {
  const world = new SimulatedQuorum({ seed, founders: IDS, startList: [...IDS, 'd'] });
  await world.start();
  await world.leader();
  const named = (): boolean =>
    [...world.processes.values()].every(({ id, host }) => host.state.member(id)?.name === id);
  await world.time.until(named);
  return world;
}

/** The node has ended, and its disk is gone. */
async function wipe(world: SimulatedQuorum, id: string): Promise<void> {
  await world.time.advance(2000);
  world.crash(id);
  world.logs.wipe(id);
}

async function expectServed(world: SimulatedQuorum, seed: number): Promise<void> {
  const leader = await world.leader().catch((cause: unknown) => {
    throw new Error(`seed ${seed}: nobody leads`, { cause });
  });
  await world.wait(write(leader, 'after'));
  const all = [...world.processes.values()];
  await world.time.until(() => all.every(({ host }) => host.state.revision === 2));
}

/* Each is when, in milliseconds after the change is committed, the third stops. */
const STAGES = [0, 3, 40, 500];
const SEEDS = [1, 2, 3, 4, 5];

describe('two of three go on', () => {
  it.each(STAGES)('though one has missed how the other was replaced, %d ms ago', async (ms) => {
    for (const seed of SEEDS) {
      const world = await threeFounders(seed);
      world.logs.network.isolate('b', ['a', 'b', 'c', 'd']);
      await world.time.until(() => ![null, 'b'].includes(world.logs.leader()));
      /* Which b is not needed for: with a fourth meanwhile. */
      await add(world, 'd', 'a', 'b', 'c', 'd');
      await remove(world, 'c', 'a', 'b', 'd');
      await wipe(world, 'c');
      await add(world, 'c', 'a', 'b', 'c', 'd');
      await remove(world, 'd', 'a', 'b', 'c');
      await world.time.advance(ms);
      world.crash('a');
      world.crash('d');
      const { host } = world.process('b');
      expect(host.log.status().configuration.voters).toEqual(['a', 'b', 'c']);
      expect(host.state.member('c')?.folderId).toBe('c/1');
      world.logs.network.heal();
      await expectServed(world, seed);
      expect(host.state.member('c')?.folderId).toBe('c/2');
      expect(world.process('b').failures).toEqual([]);
    }
  });

  it.each(STAGES)('after a restart, though one was replaced %d ms ago', async (ms) => {
    for (const seed of SEEDS) {
      const world = await threeFounders(seed);
      const leader = await world.leader();
      const [kept, replaced] = IDS.filter((id) => id !== leader.id) as [string, string];
      await remove(world, replaced, ...[leader.id, kept].sort());
      await wipe(world, replaced);
      await add(world, replaced, ...IDS);
      await world.time.advance(ms);
      world.crash(leader.id);
      for (const id of [kept, replaced]) {
        world.crash(id);
        await world.start([id]);
      }
      await expectServed(world, seed);
    }
  });
});

it('a node in the place of another, under its id, is fed the log from before it, in parts', async () => {
  const world = await threeFounders(7);
  const leader = await world.leader();
  const replaced = IDS.find((id) => id !== leader.id)!;
  const writeMuch = async (): Promise<void> => {
    for (let at = 0; at < 4; at += 1) await world.wait(write(leader, `k${at}`, 400_000));
  };
  await writeMuch();
  await remove(world, replaced, ...IDS.filter((id) => id !== replaced));
  await wipe(world, replaced);
  await writeMuch();
  await add(world, replaced, ...IDS);
  const { host, failures } = world.process(replaced);
  await world.time.until(() => failures.length > 0 || host.state.revision === 9);
  expect(failures).toEqual([]);
});
