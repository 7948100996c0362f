import { createHash } from 'node:crypto';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openMetadata } from '../index.js';
import { NO_LEASE } from '../state/index.js';
import { systemTime } from '../testing/system-time.js';
import { textToBytes } from '../text.js';
import { judgeWal, NothingStoredError, readRaft, readSnapshots, readWal } from './index.js';
import type { WalSegmentView } from './index.js';

let dataDir: string;
let metadata: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pawl-inspect-'));
  metadata = join(dataDir, 'metadata');
});

afterEach(() => rm(dataDir, { recursive: true, force: true }));

/** A member that wrote `puts` keys and was stopped. */
async function stoppedMember(puts: number, snapshotEntries = 10_000): Promise<void> {
  const store = await openMetadata({
    dataDir: metadata,
    nodeId: 'n1',
    clock: systemTime,
    timer: systemTime,
    raft: { snapshotEntries, segmentBytes: 2048 },
  });
  for (let n = 0; n < puts; n += 1) {
    const key = textToBytes(`key "${n}"`);
    const put = { kind: 'put' as const, key, value: textToBytes('secret'), lease: NO_LEASE };
    await store.txn({ compare: [], success: [put], failure: [] });
  }
  await store.close();
}

async function segments(path = dataDir): Promise<WalSegmentView[]> {
  const all: WalSegmentView[] = [];
  for await (const segment of readWal(path)) all.push(segment);
  return all;
}

/** Every file with its bytes. */
async function fingerprint(): Promise<Record<string, string>> {
  const print: Record<string, string> = {};
  for (const name of await readdir(metadata)) {
    print[name] = createHash('sha256')
      .update(await readFile(join(metadata, name)))
      .digest('hex');
  }
  return print;
}

async function damage(name: string, at: number): Promise<void> {
  const bytes = await readFile(join(metadata, name));
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(join(metadata, name), bytes);
}

it('tells entry by entry what the log holds, and not what was stored', async () => {
  await stoppedMember(3);
  const [first] = await segments();
  const commands = first?.records.filter(({ command }) => command === 'txn');
  expect(commands?.map(({ detail }) => detail)).toEqual(
    [0, 1, 2].map((n) => expect.stringContaining(`put "key \\x22${n}\\x22"`) as string),
  );
  expect(JSON.stringify(first)).not.toContain('secret');
  expect(first?.records[0]).toMatchObject({ kind: 'segment', index: null });
  expect(first?.records.find(({ kind }) => kind === 'identity')?.detail).toContain('node n1 of');
});

it('goes through the segments in their order', async () => {
  await stoppedMember(40);
  const all = await segments();
  expect(all.length).toBeGreaterThan(1);
  const entries = all.flatMap(({ records }) => records.filter(({ bytes }) => bytes !== null));
  expect(entries.map(({ index }) => index)).toEqual(entries.map((_, at) => at + 1));
  expect(all.map(({ firstIndex }) => firstIndex)).toEqual(
    all.map(({ records }) => records.find(({ bytes }) => bytes !== null)?.index),
  );
});

it('shows term, commit, members and snapshots as a start would find them', async () => {
  await stoppedMember(40, 10);
  const { raft, problems } = await readRaft(dataDir);
  expect(problems).toEqual([]);
  expect(raft).toMatchObject({
    identity: { nodeId: 'n1' },
    vote: 'n1',
    configuration: { voters: ['n1'], learners: [] },
  });
  expect(raft?.commit).toBe(raft?.lastIndex);
  const snapshots = await readSnapshots(metadata);
  expect(snapshots.length).toBeGreaterThan(0);
  for (const { problem, revision, identity } of snapshots) {
    expect({ problem, nodeId: identity?.nodeId }).toEqual({ problem: null, nodeId: 'n1' });
    expect(revision).toBeGreaterThan(1);
  }
  expect(raft?.snapshotIndex).toBe(snapshots[0]?.index);
});

it('changes nothing, not even what a start would set right', async () => {
  await stoppedMember(3);
  const [name = ''] = (await readdir(metadata)).filter((one) => one.startsWith('wal-'));
  await appendFile(join(metadata, name), 'torn');
  await writeFile(join(metadata, 'left-over.tmp'), '');
  const before = await fingerprint();
  const [segment] = await segments();
  expect(segment).toMatchObject({ problem: null });
  expect(segment?.note).toContain('the last write was not finished');
  const { raft, notes } = await readRaft(dataDir);
  expect(raft).not.toBeNull();
  expect(notes).toEqual([expect.stringContaining('cut 4 bytes of an unfinished write')]);
  await readSnapshots(dataDir);
  expect(await fingerprint()).toEqual(before);
});

it('shows what is readable beside what is damaged', async () => {
  await stoppedMember(40, 10);
  const names = (await readdir(metadata)).sort();
  const snapshot = names.findLast((name) => name.startsWith('snap-')) ?? '';
  const log = names.find((name) => name.startsWith('wal-')) ?? '';
  await damage(snapshot, 100);
  await damage(log, 300);
  const [newest, older] = await readSnapshots(dataDir);
  expect(newest).toMatchObject({ term: null });
  expect(newest?.problem).toContain('fails its checksum');
  expect(older?.problem).toBeNull();
  const [oldest] = await segments();
  expect(oldest?.problem).toContain('a record fails its checksum');
  const { raft, problems } = await readRaft(dataDir);
  expect(raft).toBeNull();
  expect(problems).toEqual([expect.stringContaining(`${log} is damaged at byte`)]);
});

describe('a log that a start refuses, though each of its segments is whole', () => {
  const files = async () =>
    (await readdir(metadata)).filter((name) => name.startsWith('wal-')).sort();
  beforeEach(() => stoppedMember(40));

  it('is one with all that it ever held', async () => {
    expect((await files()).length).toBeGreaterThan(2);
    expect(await judgeWal(dataDir)).toBeNull();
  });

  it.each([
    ['a segment in the middle', 1, 'before it is missing'],
    ['the newest segment', -1, 'the newest segment of the log is missing'],
  ])('lacks %s', async (_, at, problem) => {
    await rm(join(metadata, (await files()).at(at) ?? ''));
    expect(await judgeWal(dataDir)).toContain(problem);
    expect((await segments()).every((segment) => segment.problem === null)).toBe(true);
  });

  it('lacks frames that were durable', async () => {
    const newest = join(metadata, (await files()).at(-1) ?? '');
    const last = (await segments()).at(-1)?.records.at(-1)?.offset ?? 0;
    await truncate(newest, last);
    expect(await judgeWal(dataDir)).toContain('though the log was durable up to byte');
  });

  it('has a damaged note of how far it reached', async () => {
    await damage('newest-segment.bin', 20);
    expect(await judgeWal(dataDir)).toContain('fails its checksum');
  });
});

it('refuses a folder without a member, and makes none', async () => {
  await mkdir(metadata);
  await expect(readRaft(dataDir)).rejects.toThrow(NothingStoredError);
  const missing = join(dataDir, 'missing');
  await expect(readSnapshots(missing)).rejects.toThrow(/holds no log and no snapshot/);
  expect(await readdir(dataDir)).toEqual(['metadata']);
});
