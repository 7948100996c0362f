import {
  configurationText,
  judgeWal,
  NothingStoredError,
  readRaft,
  readSnapshots,
  readWal,
} from '@pawl/metadata/inspect';
import type {
  RaftInspection,
  SnapshotView,
  WalRecordView,
  WalSegmentView,
} from '@pawl/metadata/inspect';
import type { CliContext } from '../../context.js';
import { CliError } from '../../exit-codes.js';
import { print, table } from '../../output.js';

export interface WalFlags {
  readonly from?: number;
  readonly limit: number;
}

/** What the folder lacks, or the machine refuses, is said without a trace of calls. */
export async function explained(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof NothingStoredError || code !== undefined) throw new CliError(message);
    throw error;
  }
}

type SegmentLine = Omit<WalSegmentView, 'records'> & { readonly records: number };

export async function showWal(context: CliContext, folder: string, flags: WalFlags): Promise<void> {
  const segments: SegmentLine[] = [];
  const records: WalRecordView[] = [];
  let begun = flags.from === undefined;
  let next: number | null = null;
  for await (const { records: all, ...segment } of readWal(folder)) {
    segments.push({ ...segment, records: all.length });
    for (const record of all) {
      const entry = record.bytes === null ? null : record.index;
      begun ||= entry !== null && entry >= (flags.from ?? 0);
      if (begun && records.length < flags.limit) records.push(record);
      else if (begun) next ??= entry;
    }
  }
  const found = segments.flatMap(({ problem }) => (problem === null ? [] : [problem]));
  const whole = found.length > 0 ? null : await judgeWal(folder);
  const problems = whole === null ? found : [whole];
  print(context.terminal, context.format(), { segments, records, next, problems }, () =>
    [
      segmentTable(segments),
      recordTable(records),
      next === null ? '' : `more: --from ${next}\n`,
      ...segments.flatMap(({ note }) => (note === null ? [] : [`note: ${note}\n`])),
    ].join(''),
  );
  refuseDamage(problems);
}

function segmentTable(segments: readonly SegmentLine[]): string {
  return table(
    ['segment', 'bytes', 'first index', 'records'],
    segments.map(({ name, bytes, firstIndex, records }) => [name, bytes, firstIndex, records]),
  );
}

function recordTable(records: readonly WalRecordView[]): string {
  return table(
    ['segment', 'byte', 'record', 'index', 'term', 'bytes', 'command', 'what'],
    records.map(({ segment, offset, kind, index, term, bytes, command, detail }) => {
      const number = segment.replace(/^wal-0*|\.log$/g, '');
      return [number, offset, kind, index, term, bytes, command, detail];
    }),
  );
}

export async function showSnapshots(context: CliContext, folder: string): Promise<void> {
  const snapshots = await readSnapshots(folder);
  print(context.terminal, context.format(), snapshots, () =>
    snapshots.length === 0 ? 'no snapshot was taken yet\n' : snapshotTable(snapshots),
  );
  refuseDamage(snapshots.flatMap(({ problem }) => (problem === null ? [] : [problem])));
}

function snapshotTable(snapshots: readonly SnapshotView[]): string {
  return table(
    ['index', 'term', 'revision', 'bytes', 'members', 'checksum'],
    snapshots.map(({ index, term, revision, stateBytes, configuration, problem }) => [
      index,
      term,
      revision,
      stateBytes,
      configuration === null ? null : configurationText(configuration),
      problem === null ? 'good' : 'DAMAGED',
    ]),
  );
}

export async function showRaft(context: CliContext, folder: string): Promise<void> {
  const inspection = await readRaft(folder);
  print(context.terminal, context.format(), inspection, () => raftText(inspection));
  refuseDamage(inspection.problems);
}

function raftText({ raft, notes }: RaftInspection): string {
  if (raft === null) return '';
  const { identity } = raft;
  const lines: readonly (readonly [string, string | number])[] = [
    ['node', identity.nodeId],
    ['cluster', identity.clusterId],
    ['folder', identity.folderId],
    ['term', raft.term],
    ['vote', raft.vote ?? 'none'],
    ['commit', raft.commit],
    [
      'snapshot',
      raft.snapshotIndex === 0 ? 'none' : `${raft.snapshotIndex} (term ${raft.snapshotTerm})`,
    ],
    ['entries', raft.firstIndex === null ? 'none' : `${raft.firstIndex} to ${raft.lastIndex}`],
    ['last', `${raft.lastIndex} (term ${raft.lastTerm})`],
    ['members', `${configurationText(raft.configuration)} (as of ${raft.configurationIndex})`],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return [
    ...lines.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`),
    ...notes.map((note) => `note: a start will set this right: ${note}\n`),
  ].join('');
}

function refuseDamage(problems: readonly string[]): void {
  if (problems.length > 0) throw new CliError(problems.join('\npawl: '));
}
