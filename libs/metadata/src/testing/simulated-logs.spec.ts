import { describe, expect, it } from 'vitest';
import type { LogMachine, LogStatus } from '../quorum/replicated-log.port.js';
import { bytesToText, textToBytes } from '../text.js';
import type { SimulatedLog } from './simulated-log.js';
import { SimulatedLogs } from './simulated-logs.js';

/** Keeps the commands as a list of lines. */
class Lines implements LogMachine {
  lines: string[] = [];

  apply(command: Uint8Array): void {
    this.lines.push(bytesToText(command));
  }

  *snapshot(): IterableIterator<Uint8Array> {
    for (const line of [...this.lines]) yield textToBytes(`${line}\n`);
  }

  restore(state: Uint8Array): never[] {
    this.lines = bytesToText(state).split('\n').slice(0, -1);
    return [];
  }
}

interface Node {
  readonly log: SimulatedLog;
  readonly machine: Lines;
  readonly seen: LogStatus[];
}

const IDS = ['a', 'b', 'c'];
const everybody = ['a', 'b', 'c', 'd'].map((id) => ({ id, host: 'h', port: 1 }));

class World {
  readonly logs: SimulatedLogs;
  readonly nodes = new Map<string, Node>();

  constructor(seed: number, settings = {}) {
    this.logs = new SimulatedLogs(seed, settings);
    for (const id of IDS) this.logs.disk(id, IDS);
    for (const id of IDS) this.start(id);
  }

  start(id: string): Node {
    const machine = new Lines();
    const seen: LogStatus[] = [];
    const log = this.logs.open(id, {
      machine,
      time: this.logs.newTime(),
      events: {
        onStatus: (status) => seen.push(status),
        onRequest: async (from, body) => textToBytes(`${id} answers ${from}: ${bytesToText(body)}`),
        onFailure: () => undefined,
        onProblem: () => undefined,
      },
    });
    log.setPeers(everybody.filter((peer) => peer.id !== id));
    const node = { log, machine, seen };
    this.nodes.set(id, node);
    return node;
  }

  node(id: string): Node {
    return this.nodes.get(id) as Node;
  }

  async write(...lines: string[]): Promise<void> {
    const { log } = this.node(await this.logs.untilLed());
    for (const line of lines) expect(log.propose(textToBytes(line))).toMatchObject({ ok: true });
    const { lastIndex } = log.status();
    await this.logs.time.until(() => log.status().appliedIndex === lastIndex);
  }
}

describe('simulated logs', () => {
  it('elect one leader, copy what it takes, and give all a barrier and requests', async () => {
    const world = new World(1);
    await world.write('one', 'two');
    for (const id of IDS) {
      const { log, machine } = world.node(id);
      await world.logs.time.wait(log.barrier(1000));
      expect(machine.lines).toEqual(['one', 'two']);
    }
    const [from, to] = IDS.filter((id) => id !== world.logs.leader()) as [string, string];
    const answer = world.node(from).log.request(to, textToBytes('hello'), 1000);
    expect(bytesToText(await world.logs.time.wait(answer))).toBe(`${to} answers ${from}: hello`);
    expect(world.node(from).log.propose(textToBytes('no'))).toEqual({
      ok: false,
      reason: 'not-leader',
    });
  });

  it('go on without a crashed leader, which has everything when it is back', async () => {
    const world = new World(2);
    await world.write('one');
    const first = await world.logs.untilLed();
    world.logs.crash(first);
    const second = await world.logs.untilLed();
    expect(second).not.toBe(first);
    await world.write('two');
    const { log, machine } = world.start(first);
    await world.logs.time.wait(log.barrier(5000));
    expect(machine.lines).toEqual(['one', 'two']);
  });

  it('answer nothing without a quorum, and again with one', async () => {
    const world = new World(3);
    await world.write('one');
    const leader = await world.logs.untilLed();
    world.logs.network.isolate(leader);
    const { log } = world.node(leader);
    await expect(world.logs.time.wait(log.barrier(2000))).rejects.toThrow('no quorum');
    expect(log.status().role).not.toBe('leader');
    const [other] = IDS.filter((id) => id !== leader) as [string];
    const lost = log.request(other, textToBytes(''), 500);
    await expect(world.logs.time.wait(lost)).rejects.toThrow('does not answer');
    world.logs.network.heal();
    await world.write('two');
    await world.logs.time.until(() => world.node(leader).machine.lines.length === 2);
  });

  it('take a joining node along, with a snapshot where the log is gone', async () => {
    const world = new World(4, { snapshotEntries: 10 });
    await world.write(...Array.from({ length: 40 }, (_, at) => `${at}`));
    const leader = world.node(await world.logs.untilLed());
    await world.logs.time.until(() => leader.log.status().snapshotIndex > 20);
    const joiner = world.start('d');
    expect(leader.log.change({ addLearners: ['d'] })).toMatchObject({ ok: true });
    await world.logs.time.until(() => joiner.machine.lines.length === 40);
    await world.logs.time.until(() => (leader.log.progress().get('d')?.match ?? 0) >= 40);
    expect(leader.log.change({ addVoters: ['d'] })).toMatchObject({ ok: true });
    await world.logs.time.until(() => joiner.log.status().configuration.voters.length === 4);
    expect(leader.log.transfer('d')).toBe(true);
    await world.logs.time.until(() => joiner.log.status().role === 'leader');
  });

  it('hand leadership over when they are stopped', async () => {
    const world = new World(5);
    await world.write('one');
    const first = await world.logs.untilLed();
    const before = world.logs.time.monotonicMs();
    await world.logs.time.wait(world.node(first).log.stop());
    world.logs.forget(first);
    await world.logs.untilLed();
    expect(world.logs.time.monotonicMs() - before).toBeLessThan(500);
  });

  it('run alike for one seed, and differently for another', async () => {
    const run = async (seed: number): Promise<string> => {
      const world = new World(seed, { snapshotEntries: 10 });
      world.logs.network.faults.loss = 0.1;
      world.logs.network.faults.duplication = 0.1;
      world.logs.network.faults.maxDelayMs = 30;
      for (let round = 0; round < 3; round += 1) {
        const leader = await world.logs.untilLed();
        world.node(leader).log.propose(textToBytes(`round ${round}`));
        await world.logs.time.advance(500);
        world.logs.crash(leader);
        await world.logs.time.advance(2000);
        world.start(leader);
      }
      return JSON.stringify([...world.nodes.values()].map(({ seen }) => seen));
    };
    const [first, second, other] = [await run(7), await run(7), await run(8)];
    expect(second).toBe(first);
    expect(other).not.toBe(first);
  });
});
