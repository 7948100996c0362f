import { beforeEach, describe, expect, it } from 'vitest';
import { foundingState } from '../core/index.js';
import type { Entry } from '../core/index.js';
import { SimulatedFolder } from '../testing/index.js';
import { openStorage } from './raft-storage.js';
import type { StorageOptions } from './raft-storage.js';
import { SnapshotFiles } from './snapshot-files.js';
import { segmentName } from './wal-segment.js';
import { EMPTY_BATCH, WriteAheadLog } from './write-ahead-log.js';

const IDENTITY = { clusterId: 'c1', nodeId: 'n1', folderId: 'f1' };
const { configuration } = foundingState(['n1']).snapshot;
const LOG = segmentName(1);

let folder: SimulatedFolder;

/** Five entries in frames of their own, of more than 200 bytes each, and what an earlier start left. */
beforeEach(async () => {
  folder = SimulatedFolder.empty();
  const founding = { identity: IDENTITY, configuration };
  const log = await WriteAheadLog.create(folder, founding, 1_000_000);
  for (let index = 1; index <= 5; index += 1) {
    const entry: Entry = { index, term: 1, kind: 'command', data: Buffer.alloc(200, 'x') };
    const hardState = { term: 1, vote: 'n1', commit: index - 1 };
    await log.append({ ...EMPTY_BATCH, hardState, entries: [entry] });
  }
  await (await folder.create('snap-0000000000000009.bin.tmp')).close();
});

async function snapshotAt(index: number): Promise<void> {
  const snapshot = { mark: { index, term: 1, configuration }, identity: IDENTITY };
  const state = [Buffer.from('state')];
  await new SnapshotFiles(folder).write({ ...snapshot, state, abandoned: () => false });
}

function cutOff(bytes: number): void {
  folder.damage(LOG, (whole) => whole.subarray(0, whole.length - bytes));
}

function open(other: Partial<StorageOptions> = {}) {
  const ids = { nodeId: 'n1', clusterId: 'c1', founders: ['n1'], newId: () => 'x' };
  return openStorage({ folder, segmentBytes: 1_000_000, ...ids, ...other });
}

async function contents(): Promise<ReadonlyMap<string, string>> {
  const files = [...(await folder.list())].sort();
  const read = async (name: string): Promise<[string, string]> => {
    return [name, Buffer.from(await folder.read(name)).toString('hex')];
  };
  return new Map(await Promise.all(files.map(read)));
}

/** What opening is refused with; every file is as it was then. */
async function refusal(other: Partial<StorageOptions> = {}): Promise<Error> {
  const before = await contents();
  const outcome = await open(other).catch((error: Error) => error);
  if (!(outcome instanceof Error)) throw new Error('it was opened');
  expect(await contents()).toEqual(before);
  return outcome;
}

describe('a start that is refused changes no file', () => {
  it('where the end of the log is torn though a snapshot proves that it was committed', async () => {
    await snapshotAt(5);
    cutOff(100);
    const error = await refusal();
    expect(error.name).toBe('CorruptionError');
    expect(error.message).toMatch(/ends at entry 4, though 5 were committed.*Nothing was changed/);
  });

  it('where the folder is another node’s, or of another cluster, and its log is torn', async () => {
    cutOff(100);
    expect((await refusal({ nodeId: 'n2' })).name).toBe('WrongFolderError');
    expect((await refusal({ clusterId: 'c2' })).name).toBe('WrongFolderError');
  });

  it('and one that is not refused cuts the torn write off and removes what was left over', async () => {
    cutOff(100);
    const { notes, state, log } = await open();
    await log.close();
    expect(notes.join()).toMatch(/^cut \d+ bytes of an unfinished write off /);
    expect(state.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
    expect([...(await contents()).keys()]).toEqual(['newest-segment.bin', LOG]);
    expect((await open()).notes).toEqual([]);
  });
});
