import { ManualTime, seededRng } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import type { ListMachine as Machine } from '../testing/index.js';
import { ListMachine, SimulatedFolder } from '../testing/index.js';
import { Cluster } from './cluster.fixture.js';
import { RaftNode } from './index.js';

/** Opens a folder that was used, with nobody to speak to. */
async function reopen(
  folder: SimulatedFolder,
  forceAlone?: string,
): Promise<{ node: RaftNode; machine: Machine }> {
  const machine = new ListMachine();
  const time = new ManualTime();
  const node = await RaftNode.open({
    folder,
    nodeId: 'a',
    clusterId: null,
    founders: null,
    newId: () => 'new',
    machine: {
      apply: (command) => machine.apply(command),
      snapshot: () => machine.snapshot(),
      restore: (state) => machine.restore(state),
    },
    events: {
      onStatus: () => undefined,
      onRequest: () => Promise.reject(new Error('nobody asks')),
      onProblem: () => undefined,
      onFailure: () => undefined,
    },
    clock: time,
    timer: time,
    rng: seededRng(1),
    settings: { snapshotEntries: 5 },
    ...(forceAlone === undefined ? {} : { forceAlone: Buffer.from(forceAlone) }),
  });
  return { node, machine };
}

/** What is left on the disk of one of three, with the commands that they were given. */
async function oneOfThree(): Promise<{ folder: SimulatedFolder; commands: string[] }> {
  const cluster = await Cluster.start(['a', 'b', 'c'], { snapshotEntries: 5 });
  const commands = Array.from({ length: 12 }, (_, at) => `${at}`);
  await cluster.write(...commands);
  const member = cluster.member('a');
  await member.until(() => member.commands.length === commands.length);
  await cluster.stopAll();
  return { folder: cluster.folders.get('a') as SimulatedFolder, commands };
}

describe('a node that is made the only one', () => {
  it('leads at once with all that it held, then applies what it was given', async () => {
    const { folder, commands } = await oneOfThree();
    const stuck = await reopen(folder);
    expect(stuck.node.status().leader).toBeNull();
    await stuck.node.stop();
    const { node, machine } = await reopen(folder, 'forced');
    expect(machine.commands).toEqual([...commands, 'forced']);
    expect(node.status()).toMatchObject({
      role: 'leader',
      configuration: { voters: ['a'], outgoing: [], learners: [], learnersNext: [] },
    });
    await node.stop();
  });

  it('stays so, and is not made so twice', async () => {
    const { folder, commands } = await oneOfThree();
    for (const force of ['forced', undefined, 'again']) {
      const { node, machine } = await reopen(folder, force);
      expect(machine.commands).toEqual([...commands, 'forced']);
      await node.stop();
    }
  });

  it('is it wholly or not at all, wherever a crash comes', async () => {
    const { folder, commands } = await oneOfThree();
    const before = folder.journal.length;
    const forced = await reopen(folder, 'forced');
    await forced.node.stop();
    let [whole, none] = [0, 0];
    for (let at = before; at <= folder.journal.length; at += 1) {
      for (const kind of ['kept', 'lost'] as const) {
        const { node, machine } = await reopen(folder.crashed(at, { kind }));
        if (node.status().role === 'leader') {
          whole += 1;
          expect(machine.commands).toEqual([...commands, 'forced']);
        } else {
          none += 1;
          expect(node.status().configuration.voters).toEqual(['a', 'b', 'c']);
        }
        await node.stop();
      }
    }
    expect(whole).toBeGreaterThan(0);
    expect(none).toBeGreaterThan(0);
  });
});
