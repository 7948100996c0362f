import { afterEach, describe, expect, it, vi } from 'vitest';
import { SimulatedFolder } from '../testing/index.js';
import { Cluster } from './cluster.fixture.js';
import type { ClusterMember } from './cluster.fixture.js';
import { FaultyDisk } from './faulty-disk.fixture.js';
import type { DiskFault, DiskPart } from './faulty-disk.fixture.js';
import { LoneNode } from './lone-node.fixture.js';

/* Several clusters each, on a machine that may be busy. */
vi.setConfig({ testTimeout: 120_000 });

const FAULTS: readonly Omit<DiskFault, 'part'>[] = [
  { op: 'sync', error: 'EIO: i/o error, fdatasync' },
  { op: 'write', error: 'EIO: i/o error, write' },
  { op: 'write', error: 'ENOSPC: no space left on device, write' },
  { op: 'write', error: 'EROFS: read-only file system, write' },
  { op: 'write', error: 'EFBIG: file too large, write' },
];
const PARTS: readonly DiskPart[] = ['log', 'hard state', 'snapshot'];
const SETTINGS = { snapshotEntries: 12, segmentBytes: 4000 };

const open: Cluster[] = [];
afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster.stopAll();
});

/** Does what makes the node write that part. */
async function provoke(cluster: Cluster, target: ClusterMember, part: DiskPart): Promise<void> {
  const leader = await cluster.leader();
  if (part === 'hard state') {
    const heir = cluster.others(target.id, leader.id)[0] ?? cluster.others(target.id)[0]!;
    leader.node.transfer(heir.id);
    return;
  }
  for (let at = 0; at < 2 * SETTINGS.snapshotEntries; at += 1) {
    leader.node.propose(Buffer.from(`while the ${part} fails ${at}`));
  }
}

async function failsIn(role: 'leader' | 'follower', part: DiskPart): Promise<void> {
  const cluster = new Cluster(['a', 'b', 'c'], SETTINGS);
  open.push(cluster);
  const disks = new Map<string, FaultyDisk>();
  const add = async (id: string): Promise<void> => {
    const folder = (cluster.folders.get(id) ?? SimulatedFolder.empty(id)) as SimulatedFolder;
    disks.set(id, new FaultyDisk(folder));
    await cluster.add(id, { folder });
  };
  for (const id of ['a', 'b', 'c']) await add(id);
  for (const fault of FAULTS) {
    /* A segment that was begun in this life, so that its name is known. */
    await cluster.write(...Array.from({ length: 3 }, (_, at) => `${at}`.padEnd(4000)));
    const leader = await cluster.leader();
    const target = role === 'leader' ? leader : cluster.others(leader.id)[0]!;
    const disk = disks.get(target.id)!;
    disk.fault = { part, ...fault };
    await provoke(cluster, target, part);
    await target.until(() => target.failures.length > 0);
    expect(disk.failed).toBe(1);
    expect(target.failures).toHaveLength(1);
    expect(target.failures[0]?.message).toBe(`node ${target.id} stopped for good: ${fault.error}`);
    const { appliedIndex } = target.node.status();
    await cluster.crash(target.id);
    await cluster.write(`without ${target.id}`);
    expect(target.node.status().appliedIndex).toBe(appliedIndex);
    await add(target.id);
    await cluster.write('with all');
    const { commands } = await cluster.leader();
    for (const member of cluster.members.values()) {
      await member.until(() => member.commands.length === commands.length);
      expect(member.commands).toEqual(commands);
    }
  }
}

describe.each(['leader', 'follower'] as const)('the disk of the %s', (role) => {
  it.each(PARTS)('that fails with its %s stops it for good; the others go on', async (part) => {
    await failsIn(role, part);
  });
});

describe('the disk of a node that is alone', () => {
  it.each(['log', 'snapshot'] as const)('that fails with its %s stops it', async (part) => {
    for (const fault of FAULTS) {
      const folder = SimulatedFolder.empty();
      const disk = new FaultyDisk(folder);
      const lone = await LoneNode.open(folder, SETTINGS);
      await lone.propose('before');
      disk.fault = { part, ...fault };
      const acked = ['before'];
      while (lone.failures.length === 0) {
        const command = `${acked.length}`;
        await lone.propose(command).then(
          () => acked.push(command),
          () => undefined,
        );
      }
      expect(disk.failed).toBe(1);
      expect(lone.failures[0]?.message).toBe(`node n1 stopped for good: ${fault.error}`);
      await lone.node.stop();
      const image = folder.crashed(folder.journal.length, { kind: 'lost' });
      const again = await LoneNode.open(image, SETTINGS);
      expect(again.machine.commands.slice(0, acked.length)).toEqual(acked);
      await again.node.stop();
    }
  });

  it('that fails with its hard state keeps it from starting', async () => {
    for (const fault of FAULTS) {
      const folder = SimulatedFolder.empty();
      const disk = new FaultyDisk(folder);
      disk.fault = { part: 'hard state', ...fault };
      await expect(LoneNode.open(folder)).rejects.toThrow(fault.error);
      expect(disk.failed).toBe(1);
      const image = folder.crashed(folder.journal.length, { kind: 'lost' });
      const again = await LoneNode.open(image);
      await again.propose('works');
      await again.node.stop();
    }
  });
});

describe('a disk that is slow', () => {
  it('or takes few bytes at a time fails nobody', async () => {
    const cluster = new Cluster(['a', 'b', 'c'], SETTINGS);
    open.push(cluster);
    for (const id of ['a', 'b', 'c']) {
      const folder = SimulatedFolder.empty(id);
      folder.maxWriteBytes = 50;
      folder.before = ({ op }) =>
        op === 'sync' ? new Promise((resolve) => setTimeout(resolve, 30)) : undefined;
      await cluster.add(id, { folder });
    }
    const commands = Array.from({ length: 30 }, (_, at) => `${at}`.padEnd(300));
    await cluster.write(...commands);
    for (const member of cluster.members.values()) {
      await member.until(() => member.commands.length === commands.length);
      expect(member.commands).toEqual(commands);
      expect(member.failures).toEqual([]);
    }
  });

  it('or hangs under a follower holds up nobody else, and it catches up', async () => {
    const cluster = new Cluster(['a', 'b', 'c'], SETTINGS);
    open.push(cluster);
    for (const id of ['a', 'b', 'c']) await cluster.add(id);
    await cluster.write('before');
    const leader = await cluster.leader();
    const target = cluster.others(leader.id)[0]!;
    const folder = cluster.folders.get(target.id) as SimulatedFolder;
    let goOn = (): void => undefined;
    const hangs = new Promise<void>((resolve) => (goOn = resolve));
    folder.before = () => hangs;
    const commands = Array.from({ length: 40 }, (_, at) => `${at}`);
    for (const command of commands) leader.node.propose(Buffer.from(command));
    await leader.until(() => leader.commands.length === 41);
    expect(target.commands).toEqual(['before']);
    folder.before = () => undefined;
    goOn();
    await target.until(() => target.commands.length === 41);
    expect(target.commands).toEqual(['before', ...commands]);
    expect(target.failures).toEqual([]);
  });
});
