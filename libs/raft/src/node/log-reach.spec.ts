import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { foundingState } from '../core/index.js';
import type { Entry } from '../core/index.js';
import { SimulatedFolder } from '../testing/index.js';
import { LoneNode } from './lone-node.fixture.js';
import { readLogReach } from './newest-segment.js';
import { readLog, settleTail } from './wal-recovery.js';
import { readSegment, segmentName } from './wal-segment.js';
import { EMPTY_BATCH, WriteAheadLog } from './write-ahead-log.js';

const NOTE = 'newest-segment.bin';
const LOG = segmentName(1);
const SEGMENT_BYTES = 1_000_000;

function entry(index: number): Entry {
  return { index, term: 1, kind: 'command', data: Buffer.from(`entry ${index}`) };
}

async function begin(folder: SimulatedFolder): Promise<WriteAheadLog> {
  const identity = { clusterId: 'c1', nodeId: 'n1', folderId: 'f1' };
  const { configuration } = foundingState(['n1']).snapshot;
  return WriteAheadLog.create(folder, { identity, configuration }, SEGMENT_BYTES);
}

/** Adds entries in frames of their own; nothing says that they are committed. */
async function add(log: WriteAheadLog, from: number, count: number): Promise<void> {
  for (let index = from; index < from + count; index += 1) {
    const hardState = index === 1 ? { term: 1, vote: 'n1', commit: 0 } : null;
    await log.append({ ...EMPTY_BATCH, hardState, entries: [entry(index)] });
  }
}

/** The folder without the last `count` frames of its newest segment, whole ones. */
async function without(folder: SimulatedFolder, count: number): Promise<SimulatedFolder> {
  const image = folder.crashed(folder.journal.length, { kind: 'kept' });
  const { frames } = readSegment(LOG, 1, Buffer.from(await image.read(LOG))).scan;
  const end = frames.at(-count)?.offset;
  if (count > 0) image.damage(LOG, (bytes) => bytes.subarray(0, end));
  return image;
}

/** The last entry that is found, or that it is refused. */
async function lastOf(folder: SimulatedFolder): Promise<number | 'refused'> {
  try {
    return (await readLog(folder))?.lastIndex ?? 0;
  } catch (error) {
    expect((error as Error).message).toMatch(/ends there, though the log was durable up to byte/);
    return 'refused';
  }
}

async function after(folder: SimulatedFolder, lost: readonly number[]) {
  return Promise.all(lost.map(async (count) => lastOf(await without(folder, count))));
}

describe('whole frames that are gone from the end of the log', () => {
  it('are missed in a log that was closed in order', async () => {
    const folder = SimulatedFolder.empty();
    const log = await begin(folder);
    await add(log, 1, 6);
    await log.finish();
    expect(await after(folder, [0, 1, 2, 6])).toEqual([6, 'refused', 'refused', 'refused']);
  });

  it('are missed up to the last snapshot, in one that was not', async () => {
    const folder = SimulatedFolder.empty();
    const log = await begin(folder);
    await add(log, 1, 3);
    const hardState = { term: 1, vote: 'n1', commit: 3 };
    await log.append({ ...EMPTY_BATCH, hardState, noted: { index: 3, term: 1 } });
    await add(log, 4, 2);
    /* Those since are not: only an index known as committed would tell. */
    expect(await after(folder, [0, 1, 2, 3, 4])).toEqual([5, 4, 3, 'refused', 'refused']);
  });

  it('are missed where they were there at the last start', async () => {
    const folder = SimulatedFolder.empty();
    await add(await begin(folder), 1, 4);
    expect(await after(folder, [1, 4])).toEqual([3, 0]);
    const found = await readLog(folder);
    if (found === null) throw new Error('there is a log');
    await settleTail(folder, found);
    await WriteAheadLog.resume(folder, found, SEGMENT_BYTES);
    expect(await after(folder, [0, 1, 4])).toEqual([4, 'refused', 'refused']);
  });

  it('are missed by a node that was stopped, which then does not start', async () => {
    const folder = SimulatedFolder.empty();
    const lone = await LoneNode.open(folder);
    await lone.propose('x');
    await lone.node.stop();
    const image = await without(folder, 1);
    await expect(LoneNode.open(image)).rejects.toThrow(/was durable up to byte/);
  });

  it('are not missed by the note of an earlier version, which is then replaced', async () => {
    const folder = SimulatedFolder.empty();
    const log = await begin(folder);
    await add(log, 1, 3);
    await log.finish();
    const image = await without(folder, 1);
    image.damage(NOTE, (bytes) => {
      const old = Buffer.from(bytes.subarray(0, 24));
      old.writeUInt32LE(1, 8);
      old.writeUInt32LE(0, 12);
      old.writeUInt32LE(crc32(old), 12);
      return old;
    });
    expect(await readLogReach(image)).toEqual({ segment: 1, end: 0 });
    const found = await readLog(image);
    if (found === null) throw new Error('there is a log');
    expect(found.lastIndex).toBe(2);
    await WriteAheadLog.resume(image, found, SEGMENT_BYTES);
    expect(await readLogReach(image)).toEqual({ segment: 1, end: found.end });
  });
});
