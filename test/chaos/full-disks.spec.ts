import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { makeTemporaryFolder } from '../support/temporary-folder.js';
import { Cluster, type Node } from './cluster/cluster.js';
import { LIMITED_FILES, SmallDisk, type TightDisk } from './faults/full-disk.js';
import { pawlQuorum } from './cluster/pawl-quorum.js';

const VALUE = 'x'.repeat(16 * 1024);
const ENDS_WITHIN_MS = 30_000;

/** A small file system where the machine lets us mount one, and files that must not grow. */
const kinds = (await mounts()) ? ['small', 'limited'] : ['limited'];

let cluster: Cluster;
const disks = new Map<string, TightDisk>();

async function mounts(): Promise<boolean> {
  const folder = await makeTemporaryFolder('mount');
  try {
    await (await SmallDisk.make(join(folder.path, 'small'))).remove();
    return true;
  } catch {
    return false;
  } finally {
    await folder.remove();
  }
}

beforeAll(async () => {
  cluster = await Cluster.start({
    kind: pawlQuorum(),
    nodes: 3,
    house: async ({ name, dataFolder }) => {
      const disk = kinds.includes('small') ? await SmallDisk.make(dataFolder) : LIMITED_FILES;
      disks.set(name, disk);
      return disk.within;
    },
  });
});

afterAll(async () => {
  await cluster?.stop();
  for (const disk of disks.values()) await disk.remove();
});

/** `ok`, or why not; never repeated. */
async function put(node: Node, key: string): Promise<string> {
  const request = { kind: 'put', key, value: VALUE } as const;
  return (await cluster.asks(node, (client) => client.perform(request))).kind;
}

async function keysOf(node: Node, prefix: string): Promise<string[]> {
  return eventually(async () => {
    const outcome = await cluster.asks(node, (client) =>
      client.perform({ kind: 'range', key: prefix, rangeEnd: `${prefix}~` }),
    );
    if (outcome.kind !== 'ok' || outcome.answer.kind !== 'range') throw new Error(outcome.kind);
    return outcome.answer.kvs.map(({ key }) => key);
  });
}

describe.each(kinds)('a disk without room (%s)', (kind) => {
  it.each(['follower', 'leader'])(
    '#24 stops the %s, which says why; the others go on',
    async (role) => {
      const leader = await cluster.leader();
      const target = role === 'leader' ? leader : cluster.nodes.find((node) => node !== leader)!;
      const rest = cluster.nodes.filter((node) => node !== target);
      const disk = kind === 'small' ? disks.get(target.plan.name)! : LIMITED_FILES;
      const prefix = `${kind}/${role}/`;
      const answered: string[] = [];
      const write = async (node: Node, key: string) => {
        if ((await put(node, key)) === 'ok') answered.push(key);
      };
      await write(leader, `${prefix}before`);
      expect(answered).toHaveLength(1);

      const late = performance.now() + ENDS_WITHIN_MS;
      await disk.fill(target.process.pid);
      for (let at = 0; target.process.isRunning(); at += 1) {
        expect(performance.now()).toBeLessThan(late);
        await write(leader, `${prefix}during ${at}`);
      }
      expect(await target.process.exited()).toBe(1);
      const why = kind === 'small' ? 'ENOSPC: no space left on device' : 'EFBIG: file too large';
      expect(target.process.log()).toContain(
        `pawl: node ${target.plan.name} stopped for good: ${why}, write`,
      );

      await eventually(async () => {
        await write(rest[0]!, `${prefix}after`);
        expect(answered).toContain(`${prefix}after`);
      });
      const kept = await keysOf(rest[0]!, prefix);
      expect(kept).toEqual(expect.arrayContaining(answered));
      await disk.free();
      await target.process.start();
      await cluster.ready();
      expect(await keysOf(target, prefix)).toEqual(await keysOf(rest[0]!, prefix));
    },
  );
});
