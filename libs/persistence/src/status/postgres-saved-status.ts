import { assert } from '@pawl/kernel';
import type { Address, AddressText } from '@pawl/contracts';
import type { SnapshotHead } from '@pawl/domain';
import type {
  ConsumerRecord,
  RunsQuery,
  SavedHead,
  SavedPast,
  SavedRun,
  SavedStatusReader,
} from '@pawl/engine';
import type { TruthSessions } from '../sessions/truth-sessions.js';
import { decodeConsumer } from './postgres-status.store.js';
import type { ConsumerRow } from './postgres-status.store.js';
import { selectRunsAt } from './select-runs-at.js';

const PAGE_ROWS = 2_000;

/** Address $1. */
const HEAD = `
  SELECT h.generation, h.version, h.hash, h.releases, h.published_version, h.published_at
  FROM config_address a LEFT JOIN config_snapshot h ON h.address = a.address
  WHERE a.address = $1`;

/** Of root $1, after ($2, $3, $4), at most $5. */
const CONSUMERS = `
  SELECT c.root, c.workload, c.consumer_id, c.incarnation, c.last_seen_at, c.has_left,
    c.build, c.slot, c.labels, c.runs
  FROM consumer_status c
  WHERE c.root = $1 AND (c.workload, c.consumer_id, c.incarnation) > ($2, $3, $4)
  ORDER BY c.workload, c.consumer_id, c.incarnation LIMIT $5`;

/** Of address $1 under root $3 at time $2. */
const PAST = `
  SELECT greatest(i.runs_since, (SELECT s.since FROM consumer_run_since s WHERE s.address = $1))
      AS since,
    p.generation, p.version, p.at,
    (SELECT count(*) FROM consumer_status c WHERE c.root = $3) AS reporting
  FROM installation i LEFT JOIN LATERAL (
    SELECT o.generation, o.version, o.at FROM snapshot_published o
    WHERE o.address = $1 AND o.at <= $2 ORDER BY o.at DESC LIMIT 1) p ON true`;

interface PastRow {
  readonly since: Date;
  readonly generation: string | null;
  readonly version: string | null;
  readonly at: Date | null;
  readonly reporting: string;
}

interface RunRow {
  readonly workload: string;
  readonly consumer_id: string;
  readonly incarnation: string;
  readonly at: Date;
  readonly generation: string;
  readonly version: string;
  readonly cohort: string;
  readonly hash: string | null;
  readonly rejected_version: string | null;
  readonly reason: string | null;
  readonly has_left: boolean;
  readonly last_seen_at: Date | null;
}

interface HeadRow {
  /** `bigint` columns come as text; all `null` without a snapshot. */
  readonly generation: string | null;
  readonly version: string | null;
  readonly hash: string | null;
  readonly releases: string | null;
  readonly published_version: string | null;
  readonly published_at: Date | null;
}

/** {@link SavedStatusReader} on PostgreSQL. */
export class PostgresSavedStatus implements SavedStatusReader {
  constructor(private readonly sessions: TruthSessions) {}

  async head(address: Address): Promise<SavedHead | undefined> {
    const answer = await this.sessions.read<HeadRow>({
      name: 'pawl_saved_head',
      text: HEAD,
      values: [address.text],
    });
    assert(answer.kind === 'rows', 'a read raises none of the codes of writes');
    const [row] = answer.rows;
    return row && snapshotOf(row);
  }

  async consumers(root: string): Promise<ConsumerRecord[]> {
    const records: ConsumerRecord[] = [];
    for (;;) {
      const last = records.at(-1);
      const after = [last?.workload, last?.consumerId, last?.incarnation];
      const answer = await this.sessions.read<ConsumerRow>({
        name: 'pawl_saved_consumers',
        text: CONSUMERS,
        values: [root, ...after.map((text) => text ?? ''), PAGE_ROWS],
      });
      assert(answer.kind === 'rows', 'a read raises none of the codes of writes');
      for (const row of answer.rows) records.push(decodeConsumer(row));
      if (answer.rows.length < PAGE_ROWS) return records;
    }
  }

  async past({ text, root }: Address, at: string): Promise<SavedPast> {
    const answer = await this.sessions.read<PastRow>({
      name: 'pawl_saved_past',
      text: PAST,
      values: [text, at, root],
    });
    assert(answer.kind === 'rows', 'a read raises none of the codes of writes');
    const [row] = answer.rows;
    assert(row !== undefined, 'an open database has an installation');
    const published =
      row.at === null
        ? null
        : {
            address: text,
            at: row.at.toISOString(),
            generation: Number(row.generation),
            version: Number(row.version),
          };
    return { since: row.since.toISOString(), published, reporting: Number(row.reporting) };
  }

  async runsAt(query: RunsQuery): Promise<SavedRun[]> {
    const answer = await this.sessions.read<RunRow>(selectRunsAt(query));
    assert(answer.kind === 'rows', 'a read raises none of the codes of writes');
    return answer.rows.map((row) => runOf(query.address, row));
  }
}

function runOf(address: AddressText, row: RunRow): SavedRun {
  return {
    address,
    workload: row.workload,
    consumerId: row.consumer_id,
    incarnation: row.incarnation,
    at: row.at.toISOString(),
    generation: Number(row.generation),
    version: Number(row.version),
    cohort: row.cohort,
    hash: row.hash,
    rejectedVersion: row.rejected_version === null ? null : Number(row.rejected_version),
    reason: row.reason,
    left: row.has_left,
    lastSeenAt: row.last_seen_at?.toISOString() ?? null,
  };
}

/** Only of the newest snapshot is the hash known, so an older one that is published is not told. */
function snapshotOf(row: HeadRow): SavedHead {
  const { hash, published_at: publishedAt } = row;
  if (row.version === null || hash === null) return { head: null, published: null };
  const head = { generation: Number(row.generation), version: Number(row.version) };
  const isPublished = row.published_version === row.version && publishedAt !== null;
  if (!isPublished) return { head, published: null };
  const releases = JSON.parse(row.releases ?? '[]') as SnapshotHead['releases'];
  return { head, published: { ...head, hash, at: publishedAt.toISOString(), releases } };
}
