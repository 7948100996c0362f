import { seededRng } from '@pawl/kernel';
import { describe, expect, it, vi } from 'vitest';
import { SimulatedDiskError, SimulatedFolder } from '../testing/index.js';
import type { Crash } from '../testing/index.js';
import { CorruptionError } from './index.js';
import type { RaftSettings } from './index.js';
import { LoneNode } from './lone-node.fixture.js';

/* Many images each, on a machine that may be busy. */
vi.setConfig({ testTimeout: 240_000 });

const SMALL: Partial<RaftSettings> = { segmentBytes: 1500, snapshotEntries: 25 };

const open = (folder: SimulatedFolder, settings = SMALL): Promise<LoneNode> =>
  LoneNode.open(folder, settings);

interface Workload {
  readonly folder: SimulatedFolder;
  readonly commands: readonly string[];
  /** Per command: how long the journal was when it was acknowledged. */
  readonly ackedAt: readonly number[];
}

/** Commands of all sizes, some one by one, some many at a time. */
async function workload(count: number): Promise<Workload> {
  const folder = SimulatedFolder.empty();
  const rng = seededRng(7);
  const commands = Array.from({ length: count }, (_, at) =>
    `${at}:`.padEnd(3 + rng.below(at % 9 === 0 ? 1800 : 90), at % 4 === 0 ? '\0' : 'x'),
  );
  const ackedAt: number[] = [];
  const lone = await open(folder);
  for (let at = 0; at < count;) {
    const group = commands.slice(at, at + 1 + rng.below(5));
    const first = at;
    at += group.length;
    await Promise.all(
      group.map(async (command, offset) => {
        await lone.propose(command);
        ackedAt[first + offset] = folder.journal.length;
      }),
    );
  }
  await lone.node.stop();
  return { folder, commands, ackedAt };
}

/** Every crash that the list of variants knows, at one point of the journal. */
function crashesAt(folder: SimulatedFolder, at: number): Crash[] {
  const crashes: Crash[] = [{ kind: 'kept' }, { kind: 'lost' }];
  for (let seed = 0; seed < 3; seed += 1) {
    crashes.push({ kind: 'torn', rng: seededRng(at * 31 + seed) });
  }
  const last = folder.journal[at - 1];
  if (last?.op === 'write') {
    const { length } = last.bytes;
    for (const cutTo of [1, 31, 32, 33, 64, length >> 2, length >> 1, length - 1]) {
      if (cutTo < length) crashes.push({ kind: 'kept', cutTo });
    }
  }
  return crashes;
}

async function expectRecovered(image: SimulatedFolder, work: Workload, at: number): Promise<void> {
  const lone = await open(image);
  const { machine } = lone;
  const acked = work.ackedAt.filter((journalLength) => journalLength <= at).length;
  expect(machine.commands.length).toBeGreaterThanOrEqual(acked);
  expect(machine.commands).toEqual(work.commands.slice(0, machine.commands.length));
  await lone.propose('after');
  expect(machine.commands.at(-1)).toBe('after');
}

describe('a node over its folder', () => {
  it('has everything acknowledged after a crash at any point, and nothing else', async () => {
    const work = await workload(180);
    let images = 0;
    for (let at = 0; at <= work.folder.journal.length; at += 1) {
      for (const crash of crashesAt(work.folder, at)) {
        try {
          await expectRecovered(work.folder.crashed(at, crash), work, at);
        } catch (error) {
          throw new Error(`crash after operation ${at}: ${JSON.stringify(crash)}`, {
            cause: error,
          });
        }
        images += 1;
      }
    }
    expect(images).toBeGreaterThanOrEqual(2000);
  });

  it('recovers alike when it crashes again while it recovers', async () => {
    const work = await workload(40);
    const rng = seededRng(3);
    for (let round = 0; round < 60; round += 1) {
      const at = rng.below(work.folder.journal.length + 1);
      const crash: Crash = { kind: 'torn', rng: seededRng(round) };
      const once = work.folder.crashed(at, crash);
      await open(once);
      for (let again = 0; again <= once.journal.length; again += 1) {
        const twice = once.crashed(again, { kind: 'torn', rng: seededRng(round * 97 + again) });
        await expectRecovered(twice, work, at);
      }
    }
  });

  it('notices after a crash at any point that the newest segment, with entries, is lost', async () => {
    const work = await workload(60);
    const { journal } = work.folder;
    let refused = 0;
    for (let at = 0; at <= journal.length; at += 1) {
      for (const crash of crashesAt(work.folder, at)) {
        const image = work.folder.crashed(at, crash);
        const newest = (await image.list())
          .filter((name) => /^wal-.*\.log$/.test(name))
          .sort()
          .pop();
        if (newest === undefined) continue;
        image.lose(newest);
        const acked = work.ackedAt.filter((length) => length <= at).length;
        const opened = await open(image).catch((error: unknown) => error);
        if (opened instanceof CorruptionError) refused += 1;
        else if (opened instanceof Error) throw opened;
        else {
          const { machine } = opened as Awaited<ReturnType<typeof open>>;
          expect(machine.commands.length, `crash after operation ${at}`).toBeGreaterThanOrEqual(
            acked,
          );
        }
      }
    }
    expect(refused).toBeGreaterThanOrEqual(500);
  });

  it('keeps two snapshots and no more log than they need', async () => {
    const { folder } = await workload(110);
    const names = (await folder.list()).slice().sort();
    expect(names.filter((name) => name.startsWith('snap-'))).toHaveLength(2);
    const segments = names.filter((name) => name.startsWith('wal-'));
    expect(segments[0]).not.toBe('wal-0000000000000001.log');
    expect(names.filter((name) => !/^(snap|wal)-/.test(name))).toEqual(['newest-segment.bin']);
  });

  it('makes many proposals durable with one sync', async () => {
    const folder = SimulatedFolder.empty();
    const lone = await open(folder, {});
    const before = folder.journal.length;
    await Promise.all(Array.from({ length: 64 }, (_, at) => lone.propose(`${at}`)));
    const operations = folder.journal.slice(before).map(({ op }) => op);
    expect(operations).toEqual(['write', 'sync']);
    await lone.node.stop();
  });

  it('acknowledges nothing before the sync is done', async () => {
    const folder = SimulatedFolder.empty();
    const lone = await open(folder, {});
    const { machine } = lone;
    const seen: number[] = [];
    folder.before = ({ op }) => void (op === 'sync' && seen.push(machine.commands.length));
    await lone.propose('a');
    await lone.propose('b');
    expect(seen).toEqual([0, 1]);
    await lone.node.stop();
  });

  it('goes on over short writes', async () => {
    const folder = SimulatedFolder.empty();
    folder.maxWriteBytes = 7;
    const lone = await open(folder);
    const commands = Array.from({ length: 60 }, (_, at) => `command ${at}`);
    for (const command of commands) await lone.propose(command);
    await lone.node.stop();
    const { machine } = await open(folder);
    expect(machine.commands).toEqual(commands);
  });

  it('refuses what is too large or too much, surely without doing it', async () => {
    const folder = SimulatedFolder.empty();
    const lone = await open(folder, { maxProposalBytes: 10, maxWaiting: 2 });
    const { machine } = lone;
    await expect(lone.propose(Buffer.alloc(11))).rejects.toMatchObject({ reason: 'too-large' });
    const two = [lone.propose('1'), lone.propose('2')];
    await expect(lone.propose('3')).rejects.toMatchObject({ reason: 'overloaded' });
    await Promise.all(two);
    await lone.node.stop();
    await expect(lone.propose('4')).rejects.toMatchObject({ reason: 'stopped' });
    expect(machine.commands).toEqual(['1', '2']);
  });
});

describe('a disk that fails', () => {
  const KINDS = ['write', 'sync', 'create', 'rename', 'remove', 'sync-folder'] as const;

  it.each(KINDS)('stops the node for good at a failed %s', async (kind) => {
    for (let nth = 1; nth <= 6; nth += 1) {
      const folder = SimulatedFolder.empty();
      const lone = await open(folder);
      const { machine, failures } = lone;
      let left = nth;
      let failedAt = -1;
      folder.before = ({ op }) => {
        if (op !== kind || failedAt >= 0) return;
        left -= 1;
        if (left > 0) return;
        failedAt = folder.journal.length;
        throw new SimulatedDiskError(`EIO on ${kind}`);
      };
      const acked: string[] = [];
      const outcomes: string[] = [];
      for (let at = 0; at < 200 && failures.length === 0; at += 1) {
        await lone.propose(`${at}`.padEnd(60)).then(
          () => acked.push(`${at}`.padEnd(60)),
          (error: Error) => outcomes.push(error.name),
        );
      }
      await expect(lone.propose('x')).rejects.toMatchObject({ reason: 'stopped' });
      await lone.node.stop();
      expect(failures).toHaveLength(1);
      expect(failures[0]?.message).toContain(`EIO on ${kind}`);
      expect(outcomes.every((name) => ['NodeFailedError', 'RefusedError'].includes(name))).toBe(
        true,
      );
      const syncedLater = folder.journal.slice(failedAt).filter(({ op }) => op === 'sync');
      if (kind === 'sync' || kind === 'write') expect(syncedLater).toEqual([]);
      const applied = machine.commands.slice();

      const image = folder.crashed(folder.journal.length, { kind: 'lost' });
      const again = await open(image);
      expect(again.machine.commands.slice(0, acked.length)).toEqual(acked);
      expect(applied.slice(0, acked.length)).toEqual(acked);
    }
  });

  it('stops when the state machine throws, and says why', async () => {
    const folder = SimulatedFolder.empty();
    const lone = await open(folder);
    const { machine, failures } = lone;
    machine.apply = () => {
      throw new Error('no such command');
    };
    await expect(lone.propose('?')).rejects.toThrow('no such command');
    expect(failures.map(({ name }) => name)).toEqual(['NodeFailedError']);
  });
});
