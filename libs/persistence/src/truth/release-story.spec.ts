import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ReleaseEnd } from '@pawl/contracts';
import type { HistoryEntry, StoredHistoryEntry, TruthStore } from '@pawl/engine';
import { ReleaseStory1764000000021 } from '../migrations/1764000000021-release-story.js';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import { AT, at, changeset, fenceOf } from '../testing/changesets.js';
import { dumpTruth } from '../testing/dump-truth.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';
import { ENDS, OF_RELEASE } from './queries.js';

const FENCE = fenceOf(5, 10);
const LINE = { address: at('acme'), at: AT, author: 'ann', kind: 'release' } as const;
const POLICY = { address: 'acme:release-policy', version: 4 };
const ENDED: ReleaseEnd = {
  ...{ outcome: 'aborted', strategy: 'careful', policyVersion: POLICY, begunAt: AT },
  ...{ begunBy: '"ann" 😀', candidate: 2, stableVersion: null, stage: 0, stages: 3 },
};
const BEGUN: HistoryEntry = {
  ...{ ...LINE, action: 'promote', releaseId: 'r1' },
  policyVersion: { ...POLICY, address: at(POLICY.address) },
};
const ABORTED: HistoryEntry = { ...LINE, action: 'abort', releaseId: 'r1', ended: ENDED };

let server: PostgresServer;
let opened: OpenedTruth;
let truth: TruthStore;
let url: string;

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

beforeEach(async () => {
  url = await server.createInstallation(64);
  opened = await openTruth({ url, installation: 'main', shards: 64, nodeId: 'node-1' });
  truth = opened.truth;
  await truth.raiseFence(FENCE, 'node-1');
  return () => opened.close();
}, START_HOOK_MS);

async function write(...history: HistoryEntry[]): Promise<void> {
  expect(await truth.commit(FENCE, changeset({ history }))).toMatchObject({ kind: 'committed' });
}

/** Writes a line as a node of before would: it knows nothing of releases there. */
async function writeAsBefore(action: string): Promise<void> {
  const { id } = await truth.installation();
  const lock = Number.parseInt(id.slice(0, 8), 16) >>> 1;
  await opened.dataSource.query(
    `SELECT pawl_commit($1, $2, $3, $4, 'acme', NULL, NULL, NULL, NULL, NULL, $5, NULL, '{}')`,
    [lock, id, FENCE.shard, FENCE.token.toString(), JSON.stringify([{ ...LINE, action }])],
  );
}

async function lines(): Promise<Omit<StoredHistoryEntry, 'sequence'>[]> {
  const told = await truth.readHistory(FENCE, at('acme'), { limit: 10 });
  return told.map(({ sequence: _, ...line }) => line);
}

async function planOf(statement: string, values: readonly unknown[]): Promise<string> {
  const rows = await opened.dataSource.query<{ 'QUERY PLAN': string }[]>(`EXPLAIN ${statement}`, [
    ...values,
  ]);
  return rows.map((row) => row['QUERY PLAN']).join('\n');
}

describe('what lines of history say of releases in stages', () => {
  it('comes to a database of before, whose lines stay as they are, and goes again', async () => {
    const migration = new ReleaseStory1764000000021();
    const runner = opened.dataSource.createQueryRunner();
    await migration.down(runner);
    await writeAsBefore('promote');
    await writeAsBefore('pause');
    const before = await dumpTruth(url);
    await migration.up(runner);
    expect(await lines()).toEqual([
      { ...LINE, action: 'pause' },
      { ...LINE, action: 'promote' },
    ]);
    expect(await truth.readAudit({ limit: 10, about: 'ends' })).toEqual([]);
    await write(BEGUN, ABORTED);
    expect((await lines()).slice(0, 2)).toEqual([ABORTED, BEGUN]);
    await opened.dataSource.query(`DELETE FROM history_entry WHERE release_id = 'r1'`);
    await migration.down(runner);
    await runner.release();
    expect((await dumpTruth(url))['history_entry']).toEqual(before['history_entry']);
    await writeAsBefore('resume');
  });

  it('is left out by a node of before that runs on, whose lines are kept', async () => {
    await write(BEGUN);
    await writeAsBefore('pause');
    await write(ABORTED);
    expect(await lines()).toEqual([ABORTED, { ...LINE, action: 'pause' }, BEGUN]);
    const of = await truth.readAudit({ limit: 10, about: { releaseId: 'r1' } });
    expect(of.map(({ action }) => action)).toEqual(['abort', 'promote']);
  });

  it('is not written under a token that is fenced off', async () => {
    await truth.raiseFence(fenceOf(5, 11), 'node-2');
    const late = await truth.commit(FENCE, changeset({ history: [ABORTED] }));
    expect(late).toMatchObject({ kind: 'fenced' });
    expect(await truth.readAudit({ limit: 10, about: 'ends' })).toEqual([]);
  });

  it('is found without reading the rest of the history', async () => {
    await opened.dataSource.query(
      `INSERT INTO history_entry (address, at, author, kind, action, forced, release_id, ended)
       SELECT 'acme/' || n % 100, now(), 'ann', 'release', 'advance', false, 'r' || n / 20,
         CASE WHEN n % 400 = 0 THEN '{}'::json END
       FROM generate_series(1, 50000) n`,
    );
    await opened.dataSource.query('ANALYZE history_entry');
    const last = '9223372036854775807';
    const ofOne = await planOf(OF_RELEASE, [last, 1_001, 'r7', null]);
    expect(ofOne).toMatch(/history_entry_of_release/);
    expect(await planOf(ENDS, [last, 101])).toMatch(/history_entry_ended/);
  });
});
