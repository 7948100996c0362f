import type {
  ConsumerRecord,
  ConsumerRunRecord,
  Fence,
  PublishedRecord,
  RunRecord,
  StatusStore,
} from '@pawl/engine';
import { storableText } from '../storable-text.js';
import type { FencedStatements } from '../sessions/fenced-statements.js';
import { sweepAll } from '../sessions/sweep-all.js';

/** Records written in one transaction. */
const BATCH_RECORDS = 1_000;
/** Of what consumers ran, rows deleted in one transaction. */
const RUNS_PER_SWEEP = 5_000;
const PAGE_ROWS = 2_000;

const PAGE = `
  SELECT c.root, c.workload, c.consumer_id, c.incarnation, c.last_seen_at, c.has_left,
    c.build, c.slot, c.labels, c.runs
  FROM consumer_status c
  WHERE c.shard = $1 AND (c.root, c.workload, c.consumer_id, c.incarnation) > ($4, $5, $6, $7)
  ORDER BY c.root, c.workload, c.consumer_id, c.incarnation LIMIT $8`;

/** {@link StatusStore} on PostgreSQL. U+0000 in ids and builds is kept as U+FFFD. */
export class PostgresStatusStore implements StatusStore {
  constructor(private readonly statements: FencedStatements) {}

  async load(fence: Fence): Promise<readonly ConsumerRecord[]> {
    const records: ConsumerRecord[] = [];
    for (;;) {
      const last = records.at(-1);
      const after = [last?.root, last?.workload, last?.consumerId, last?.incarnation];
      const rows = await this.statements.read<ConsumerRow>(fence, {
        name: 'pawl_consumer_page',
        body: PAGE,
        order: 'root, workload, consumer_id, incarnation',
        values: [...after.map((text) => text ?? ''), PAGE_ROWS],
      });
      for (const row of rows) records.push(decodeConsumer(row));
      if (rows.length < PAGE_ROWS) return records;
    }
  }

  /** Batches are transactions of their own: when one fails, those before it are saved. */
  async save(fence: Fence, records: readonly ConsumerRecord[]): Promise<void> {
    const byKey = new Map<string, ConsumerRecord>();
    for (const record of records.map(storable)) {
      const { root, workload, consumerId, incarnation } = record;
      byKey.set(JSON.stringify([root, workload, consumerId, incarnation]), record);
    }
    const distinct = [...byKey.values()];
    for (let start = 0; start < distinct.length; start += BATCH_RECORDS) {
      const batch = distinct.slice(start, start + BATCH_RECORDS).map(encode);
      await this.statements.result('pawl_save_consumers', fence, [JSON.stringify(batch)]);
    }
  }

  async sweep(fence: Fence, before: string): Promise<number> {
    return sweepAll(this.statements, 'pawl_sweep_consumers', fence, [before]);
  }

  /** In one transaction. */
  async saveRuns(
    fence: Fence,
    runs: readonly RunRecord[],
    published: readonly PublishedRecord[],
  ): Promise<void> {
    const distinct = new Map(runs.map(storableRun).map((run) => [runKey(run), run]));
    const newest = new Map(published.map((one) => [`${one.address} ${one.at}`, one]));
    const texts = [distinct, newest].map((records) => JSON.stringify([...records.values()]));
    await this.statements.result('pawl_save_runs', fence, texts);
  }

  async sweepRuns(fence: Fence, before: string, most: number): Promise<number> {
    let total = await sweepAll(this.statements, 'pawl_sweep_published', fence, [before]);
    for (let after: string | null = ''; after !== null;) {
      const values: unknown[] = [before, RUNS_PER_SWEEP, most, after];
      const part: SweptRuns = await this.statements.result('pawl_sweep_runs', fence, values);
      total += part.swept;
      after = part.next;
    }
    return total;
  }
}

/** What one call swept, and after which address to go on; `null`: nothing is left. */
interface SweptRuns {
  readonly swept: number;
  readonly next: string | null;
}

export interface ConsumerRow {
  readonly root: string;
  readonly workload: string;
  readonly consumer_id: string;
  readonly incarnation: string;
  readonly last_seen_at: Date;
  readonly has_left: boolean;
  readonly build: string | null;
  readonly slot: number | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly runs: readonly ConsumerRunRecord[];
}

export function decodeConsumer(row: ConsumerRow): ConsumerRecord {
  return {
    root: row.root,
    workload: row.workload,
    consumerId: row.consumer_id,
    incarnation: row.incarnation,
    build: row.build,
    labels: row.labels,
    slot: row.slot,
    lastSeenAt: row.last_seen_at.toISOString(),
    left: row.has_left,
    runs: row.runs,
  };
}

function encode(record: ConsumerRecord): unknown {
  const { labels, runs } = record;
  return { ...record, labels: JSON.stringify(labels), runs: JSON.stringify(runs) };
}

/** What a consumer says of itself must not keep the others' status from being saved. */
function storable(record: ConsumerRecord): ConsumerRecord {
  return {
    ...record,
    workload: storableText(record.workload),
    consumerId: storableText(record.consumerId),
    incarnation: storableText(record.incarnation),
    build: record.build === null ? null : storableText(record.build),
  };
}

function storableRun(run: RunRecord): RunRecord {
  return {
    ...run,
    workload: storableText(run.workload),
    consumerId: storableText(run.consumerId),
    incarnation: storableText(run.incarnation),
    cohort: storableText(run.cohort),
    reason: run.reason === null ? null : storableText(run.reason),
  };
}

function runKey({ address, workload, consumerId, incarnation, at }: RunRecord): string {
  return JSON.stringify([address, workload, consumerId, incarnation, at]);
}
