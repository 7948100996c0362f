import { seededRng } from '@pawl/kernel';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { foundingState } from '../core/index.js';
import { SimulatedFolder } from '../testing/index.js';
import { CorruptionError, WrongFolderError } from './index.js';
import { LoneNode } from './lone-node.fixture.js';
import { readLog } from './wal-recovery.js';
import { readSegment, segmentName } from './wal-segment.js';
import { EMPTY_BATCH, WriteAheadLog } from './write-ahead-log.js';

/* Many images each, on a machine that may be busy. */
vi.setConfig({ testTimeout: 240_000 });

const NOTE = 'newest-segment.bin';
const SETTINGS = { segmentBytes: 1500, snapshotEntries: 25 };

const open = (
  folder: SimulatedFolder,
  { segmentBytes = SETTINGS.segmentBytes, ...ids }: Opening = {},
): Promise<LoneNode> => LoneNode.open(folder, { ...SETTINGS, segmentBytes }, ids);

interface Opening {
  readonly nodeId?: string;
  readonly clusterId?: string;
  readonly segmentBytes?: number;
}

const commands = Array.from({ length: 90 }, (_, at) =>
  `${at}:`.padEnd(20 + ((at * 37) % 150), at % 3 === 0 ? '\0' : 'y'),
);
let original: SimulatedFolder;

/** A folder that was written, stopped cleanly, and holds segments and two snapshots. */
beforeAll(async () => {
  original = SimulatedFolder.empty();
  const lone = await open(original);
  for (const command of commands) await lone.propose(command);
  await lone.node.stop();
});

function copy(): SimulatedFolder {
  return original.crashed(original.journal.length, { kind: 'kept' });
}

async function names(prefix: string): Promise<string[]> {
  return (await copy().list()).filter((name) => name.startsWith(prefix)).sort();
}

async function contents(folder: SimulatedFolder): Promise<string[]> {
  const files = (await folder.list()).slice().sort();
  return Promise.all(
    files.map(async (name) => `${name} ${Buffer.from(await folder.read(name)).toString('base64')}`),
  );
}

/** What opening gives: the error's name, or what was recovered. */
async function outcome(folder: SimulatedFolder): Promise<string | string[]> {
  try {
    return (await open(folder)).machine.commands;
  } catch (error) {
    if (error instanceof CorruptionError) return 'refused';
    throw error;
  }
}

describe('damage to what was durable', () => {
  it('is refused or made good at every flipped bit of the log, and never cut off (#25)', async () => {
    const rng = seededRng(11);
    let refused = 0;
    for (const name of await names('wal-')) {
      const { length } = await copy().read(name);
      const places = Array.from({ length: 60 }, () => rng.below(length));
      for (const place of [...Array(96).keys(), ...places, length - 1]) {
        const folder = copy();
        const bit = 1 << rng.below(8);
        folder.damage(name, (bytes) => {
          bytes[place] = (bytes[place] ?? 0) ^ bit;
          return bytes;
        });
        const before = await contents(folder);
        const result = await outcome(folder);
        if (result !== 'refused') throw new Error(`${name} byte ${place} bit ${bit} was accepted`);
        expect(await contents(folder)).toEqual(before);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThanOrEqual(300);
  });

  it('is refused where a sector went blank before the last write', async () => {
    const folder = copy();
    const lone = await open(folder, { segmentBytes: 1_000_000 });
    await lone.propose('large'.padEnd(9000, 'q'));
    const name = (await folder.list())
      .filter((file) => file.startsWith('wal-'))
      .sort()
      .at(-1)!;
    await lone.propose('last');
    const { length } = await folder.read(name);
    let refused = 0;
    for (let sector = 512; sector + 512 < length - 512; sector += 512) {
      const image = folder.crashed(folder.journal.length, { kind: 'kept' });
      image.damage(name, (bytes) => bytes.fill(0, sector, sector + 512));
      expect(await outcome(image)).toBe('refused');
      refused += 1;
    }
    expect(refused).toBeGreaterThan(10);
  });

  it('in the newest snapshot makes the one before it serve, with a note', async () => {
    const [older = '', newest = ''] = await names('snap-');
    const rng = seededRng(5);
    for (let round = 0; round < 100; round += 1) {
      const folder = copy();
      folder.damage(newest, (bytes) => {
        const place = rng.below(bytes.length);
        bytes[place] = (bytes[place] ?? 0) ^ (1 << rng.below(8));
        return bytes;
      });
      const { node, machine } = await open(folder);
      expect(machine.commands).toEqual(commands);
      expect(node.notes.join()).toContain(newest);
      expect(await folder.list()).toContain(`${newest}.damaged`);
    }
    const folder = copy();
    for (const name of [older, newest]) {
      folder.damage(name, (bytes) => bytes.subarray(0, bytes.length - 1));
    }
    expect(await outcome(folder)).toBe('refused');
  });

  it('is named by file, offset and what to do', async () => {
    const folder = copy();
    const [name = ''] = await names('wal-');
    folder.damage(name, (bytes) => {
      bytes[200] = (bytes[200] ?? 0) ^ 1;
      return bytes;
    });
    await expect(open(folder)).rejects.toThrow(
      /^simulated\/wal-[0-9a-f]{16}\.log is damaged at byte \d+: .*later one at byte \d+.*Restore/,
    );
  });

  it('is refused where a segment is shorter than it was', async () => {
    const [first = ''] = await names('wal-');
    const { length } = await copy().read(first);
    for (let keep = 0; keep < length; keep += 7) {
      const folder = copy();
      folder.damage(first, (bytes) => bytes.subarray(0, keep));
      expect(await outcome(folder)).toBe('refused');
    }
  });

  it('is refused where files are missing', async () => {
    const segments = await names('wal-');
    const snapshots = await names('snap-');
    const [first, second] = [segments.slice(0, 1), segments.slice(1, 2)];
    const newest = snapshots.slice(1);
    for (const missing of [[...first, ...newest], second, segments, snapshots]) {
      const folder = copy();
      for (const name of missing) folder.lose(name);
      expect(await outcome(folder)).toBe('refused');
    }
  });

  it('is refused where the newest segment is missing, also the only one', async () => {
    const folder = copy();
    folder.lose((await names('wal-')).at(-1)!);
    await expect(open(folder)).rejects.toThrow(/wal-\w+\.log .*newest segment.* is missing/);

    const small = SimulatedFolder.empty();
    const lone = await open(small);
    await lone.propose('only');
    await lone.node.stop();
    small.lose('wal-0000000000000001.log');
    expect(await outcome(small)).toBe('refused');
  });

  it('is refused in every bit of the note that names the newest segment', async () => {
    const { length } = await copy().read(NOTE);
    for (let bit = 0; bit < length * 8; bit += 1) {
      const folder = copy();
      folder.damage(NOTE, (bytes) => {
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        return bytes;
      });
      expect(await outcome(folder), `bit ${bit}`).toBe('refused');
    }
    const folder = copy();
    folder.damage(NOTE, (bytes) => bytes.subarray(0, length - 1));
    expect(await outcome(folder)).toBe('refused');
  });

  it('is refused where a segment lost a last write that held no entry', async () => {
    const folder = SimulatedFolder.empty();
    const identity = { clusterId: 'c1', nodeId: 'n1', folderId: 'f1' };
    const { configuration } = foundingState(['n1']).snapshot;
    const log = await WriteAheadLog.create(folder, { identity, configuration }, 1);

    const batch = EMPTY_BATCH;
    await log.append({ ...batch, hardState: { term: 1, vote: 'n1', commit: 0 } });
    const full = segmentName(2);
    const before = (await folder.read(full)).length;
    await log.append({ ...batch, hardState: { term: 2, vote: 'n1', commit: 0 } });
    expect((await folder.list()).filter((name) => name.startsWith('wal-'))).toHaveLength(3);
    const image = folder.crashed(folder.journal.length, { kind: 'kept' });
    const { frames } = readSegment(full, 2, Buffer.from(await image.read(full))).scan;
    expect(frames.at(-1)?.end).toBe(before);
    image.damage(full, (bytes) => bytes.subarray(0, frames.at(-1)?.offset));
    await expect(readLog(image)).rejects.toThrow(/the segment before it ends at byte \d+ instead/);
  });

  it('is refused where the log ends before what was committed', async () => {
    const segments = await names('wal-');
    const folder = copy();
    for (const name of segments.slice(1)) folder.lose(name);
    expect(await outcome(folder)).toBe('refused');
  });
});

describe('a last write that was not finished', () => {
  it('is cut off wherever it ended, also when the file was filled up with zeros', async () => {
    const folder = copy();
    const lone = await open(folder);
    const before = folder.journal.length;
    await lone.propose('last'.padEnd(1200, 'z'));
    const write = folder.journal.findIndex(({ op }, at) => at >= before && op === 'write');
    const written = folder.journal[write];
    if (written?.op !== 'write') throw new Error('the proposal was written');
    const name = (await folder.list())
      .filter((file) => file.startsWith('wal-'))
      .sort()
      .at(-1)!;
    for (let cutTo = 0; cutTo < written.bytes.length; cutTo += 5) {
      for (const filled of [false, true]) {
        const image = folder.crashed(write + 1, { kind: 'kept', cutTo });
        const end = written.offset + written.bytes.length;
        if (filled) {
          image.damage(name, (bytes) => Buffer.concat([bytes, Buffer.alloc(end - bytes.length)]));
        }
        expect(await outcome(image)).toEqual(commands);
      }
    }
  });

  it('is written anew where it was finished, in case its sync had failed', async () => {
    const folder = copy();
    const name = (await names('wal-')).at(-1)!;
    const { length } = await folder.read(name);
    await open(folder);
    const [write, sync] = folder.journal;
    if (write?.op !== 'write') throw new Error('the first thing done is a write');
    expect(write.offset + write.bytes.length).toBe(length);
    expect(sync?.op).toBe('sync');
  });

  it('is noted', async () => {
    const folder = copy();
    const name = (await names('wal-')).at(-1)!;
    folder.damage(name, (bytes) => Buffer.concat([bytes, Buffer.from('garbage')]));
    const lone = await open(folder);
    expect(lone.node.notes.join()).toMatch(
      /^cut 7 bytes of an unfinished write off simulated\/wal-/,
    );
  });
});

describe('a folder of a version that did not note the newest segment', () => {
  it('opens, and has the note from then on', async () => {
    const folder = copy();
    folder.lose(NOTE);
    expect(await outcome(folder)).toEqual(commands);
    folder.lose((await names('wal-')).at(-1)!);
    expect(await outcome(folder)).toBe('refused');
  });
});

describe("somebody else's folder", () => {
  it('is refused by node id, cluster id and format', async () => {
    await expect(open(copy(), { nodeId: 'n2' })).rejects.toThrow(/belongs to node "n1", not "n2"/);
    await expect(open(copy(), { clusterId: 'c2' })).rejects.toThrow(/belongs to cluster id-1/);
    await expect(open(copy(), { nodeId: 'n2' })).rejects.toBeInstanceOf(WrongFolderError);
  });
});
