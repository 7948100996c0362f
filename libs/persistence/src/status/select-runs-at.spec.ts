import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import { at } from '../testing/changesets.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';
import { selectRunsAt } from './select-runs-at.js';

const INCARNATIONS = 50;
const ROWS_OF_EACH = 200;

/** `$1` incarnations of `$2` rows each, in two workloads, and as many at an address beside. */
const FILL = `
  INSERT INTO consumer_run (
    address, workload, consumer_id, incarnation, at, shard, generation, version, cohort, has_left)
  SELECT a, 'w' || i % 2, 'c' || i, 'i', timestamptz '2026-03-01Z' + v * interval '1 second', 3, 1, v,
    '', false
  FROM unnest(ARRAY['acme/app', 'acme/prod']) a, generate_series(1, $1::int) i,
    generate_series(1, $2::int) v`;

const query = {
  address: at('acme/app'),
  at: '2026-03-01T00:01:40.000Z',
  after: ['', '', ''],
  workload: null,
  consumerId: null,
  limit: 1_000,
} as const;

interface Plan {
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}

let server: PostgresServer;
let opened: OpenedTruth;
let client: Client;

beforeAll(async () => {
  server = await startPostgres();
  const url = await server.createInstallation(64);
  opened = await openTruth({ url, installation: 'main', shards: 64, nodeId: 'node-1' });
  client = new Client({ connectionString: url });
  await client.connect();
  await client.query(FILL, [INCARNATIONS, ROWS_OF_EACH]);
}, START_HOOK_MS);
afterAll(async () => {
  await client.end();
  await opened.close();
  await server.stop();
});

/** Rows that were read of what consumers ran. */
function rowsRead(plan: Plan): number {
  const {
    'Actual Loops': loops,
    'Actual Rows': rows,
    'Rows Removed by Filter': removed = 0,
  } = plan;
  const here = plan['Relation Name'] === 'consumer_run' ? Math.round((rows + removed) * loops) : 0;
  return (plan.Plans ?? []).reduce((sum, part) => sum + rowsRead(part), here);
}

async function rowsReadFor(over: Partial<Parameters<typeof selectRunsAt>[0]>): Promise<number> {
  const { text, values } = selectRunsAt({ ...query, ...over });
  const explained = `EXPLAIN (ANALYZE, FORMAT JSON) ${text}`;
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(explained, [...values]);
  const [first] = rows;
  if (first === undefined) throw new Error('no plan');
  return rowsRead(first['QUERY PLAN'][0].Plan);
}

describe('what consumers ran at a time', () => {
  it('is read by a few rows of each incarnation, however many there are', async () => {
    const found = await opened.savedStatus.runsAt(query);
    expect(found).toHaveLength(INCARNATIONS);
    expect(new Set(found.map(({ version }) => version))).toEqual(new Set([100]));
    expect(await rowsReadFor({})).toBeLessThanOrEqual(3 * INCARNATIONS);
    expect(await rowsReadFor({ workload: 'w1' })).toBeLessThanOrEqual((3 * INCARNATIONS) / 2);
    expect(await rowsReadFor({ consumerId: 'c7' })).toBeLessThanOrEqual(INCARNATIONS + 2);
  });

  it('is read of a workload and a consumer, also from the middle of another workload on', async () => {
    const within = async (over: Partial<Parameters<typeof selectRunsAt>[0]>): Promise<string[]> => {
      const found = await opened.savedStatus.runsAt({ ...query, ...over });
      return found.map(({ workload, consumerId }) => `${workload} ${consumerId}`);
    };
    const all = await within({});
    const ofOne = all.filter((one) => one.startsWith('w1'));
    expect(await within({ workload: 'w1' })).toEqual(ofOne);
    expect(await within({ workload: 'w1', after: ['w0', 'c8', 'i'] })).toEqual(ofOne);
    expect(await within({ workload: 'w1', after: ['w1', 'c17', 'i'] })).toEqual(
      ofOne.slice(ofOne.indexOf('w1 c17') + 1),
    );
    expect(await within({ workload: 'w0', after: ['w1', 'c17', 'i'] })).toEqual([]);
    expect(await within({ workload: 'w1', consumerId: 'c7' })).toEqual(['w1 c7']);
    expect(await within({ workload: 'w0', consumerId: 'c7' })).toEqual([]);
  });

  it('is read no further than the page, and passes over who came later', async () => {
    const page = await opened.savedStatus.runsAt({ ...query, limit: 10 });
    expect(page).toHaveLength(10);
    expect(await rowsReadFor({ limit: 10 })).toBeLessThanOrEqual(30);
    const before = '2026-03-01T00:00:00.000Z';
    expect(await opened.savedStatus.runsAt({ ...query, at: before, limit: 10 })).toEqual([]);
  });
});
