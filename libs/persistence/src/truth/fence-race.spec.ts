import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seededRng } from '@pawl/kernel';
import type { Rng } from '@pawl/kernel';
import type { CommitOutcome, Fence, TruthStore } from '@pawl/engine';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import { Blocker, WAITS_FOR } from '../testing/blocker.js';
import { changeset, definition, fenceOf, written } from '../testing/changesets.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';

const SHARD = 3;
const ADDRESS = 'acme/prod';
const ROUNDS = 1_000;
/** Rounds in which the interleaving is held still where it hurts most. */
const STAGED_ROUNDS = 25;
const SEED = Number(process.env['PAWL_TEST_SEED'] ?? 20_260_304);

/**
 * The commit as one statement that locks, checks the fence and writes: its snapshot is as old as its
 * beginning, from before it waited for the lock. What must never be built.
 */
const SINGLE_STATEMENT_COMMIT = `
CREATE OR REPLACE FUNCTION pawl_commit(
  p_lock integer, p_installation uuid, p_shard integer, p_token bigint, p_root text,
  p_definitions json, p_releases json, p_snapshots json, p_opened text[], p_forgotten text[],
  p_history json, p_idempotency json, p_texts text[],
  p_generation bigint DEFAULT NULL, p_commits bigint DEFAULT NULL
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $pawl$
BEGIN
  WITH entered AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(p_lock, p_shard)),
  fence AS MATERIALIZED (
    SELECT f.token FROM entered, shard_fence f WHERE f.shard = p_shard AND f.token = p_token)
  INSERT INTO config_definition (address, version, document, document_hash, author, created_at)
  SELECT d.address, d.version, p_texts[d.document], d."documentHash", d.author, d."createdAt"
  FROM fence, json_to_recordset(p_definitions) AS d(
    address text, version bigint, document integer, "documentHash" text, author text,
    "createdAt" timestamptz);
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'PW001', DETAIL = '0';
  END IF;
  RETURN 0;
END $pawl$`;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

interface Race {
  readonly zombie: OpenedTruth;
  readonly taker: OpenedTruth;
  /** Locks the fence row; and a row that the zombie wants to insert. */
  readonly blockers: readonly [Blocker, Blocker];
  token: bigint;
  version: number;
}

interface Tally {
  /** The write of the former owner became visible only after the new owner had read. */
  anomalies: number;
  fenced: number;
  committed: number;
}

async function openRace(): Promise<Race> {
  const url = await server.createInstallation(64);
  const open = (nodeId: string) =>
    openTruth({ url, installation: 'main', shards: 64, nodeId, leaseTtlMs: 20_000 });
  const race: Race = {
    zombie: await open('zombie'),
    taker: await open('taker'),
    blockers: [await Blocker.open(url), await Blocker.open(url)],
    token: 1n,
    version: 1,
  };
  await race.zombie.truth.raiseFence(fenceOf(SHARD, race.token), 'node');
  const first = changeset({ definitions: [definition(ADDRESS, race.version)] });
  await race.zombie.truth.commit(fenceOf(SHARD, race.token), first);
  return race;
}

async function closeRace(race: Race): Promise<void> {
  for (const each of [...race.blockers, race.zombie, race.taker]) await each.close();
}

async function newestVersion(truth: TruthStore, fence: Fence): Promise<number> {
  const images = await truth.loadShard(fence);
  return images.find((image) => image.address === ADDRESS)?.newest?.version ?? 0;
}

function write(race: Race): Promise<Exclude<CommitOutcome['kind'], 'conflict'>> {
  const { zombie, token, version } = race;
  const parts = changeset({
    definitions: [definition(ADDRESS, version + 1)],
    history: [written(ADDRESS, version + 1)],
  });
  return zombie.truth.commit(fenceOf(SHARD, token), parts).then((outcome) => {
    if (outcome.kind === 'conflict') throw new Error(outcome.what);
    return outcome.kind;
  });
}

async function takeOver(race: Race, fence: Fence): Promise<number> {
  expect(await race.taker.truth.raiseFence(fence, 'node')).toBe('raised');
  return newestVersion(race.taker.truth, fence);
}

/** Both start at once, one of them a little later by chance. */
async function freeRound(race: Race, fence: Fence, rng: Rng): Promise<[number, string]> {
  const zombieFirst = rng.next() < 0.5;
  const first = zombieFirst ? write(race) : takeOver(race, fence);
  for (let turns = rng.below(6); turns > 0; turns -= 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  const second = zombieFirst ? takeOver(race, fence) : write(race);
  const results = await Promise.all([first, second]);
  return (zombieFirst ? results.toReversed() : results) as [number, string];
}

/**
 * The zombie arrives while the taker holds the shard lock but has not raised the row yet, and, should
 * it get past the fence, is kept from finishing until the taker has read.
 */
async function stagedRound(race: Race, fence: Fence): Promise<[number, string]> {
  const [fenceRow, target] = race.blockers;
  await fenceRow.hold('SELECT FROM shard_fence WHERE shard = $1 FOR UPDATE', [SHARD]);
  await target.hold(
    `INSERT INTO config_definition (address, version, author, created_at)
      VALUES ($1, $2, 'test', now())`,
    [ADDRESS, race.version + 1],
  );
  const raised = race.taker.truth.raiseFence(fence, 'node');
  await fenceRow.someoneWaits(WAITS_FOR.row);
  const outcome = write(race);
  await fenceRow.someoneWaits(WAITS_FOR.shard(SHARD));
  await fenceRow.release();
  expect(await raised).toBe('raised');
  const seen = await newestVersion(race.taker.truth, fence);
  await target.release();
  return [seen, await outcome];
}

async function runRounds(race: Race, seed: number): Promise<Tally> {
  const rng = seededRng(seed);
  const tally: Tally = { anomalies: 0, fenced: 0, committed: 0 };
  const stagedEvery = Math.floor(ROUNDS / STAGED_ROUNDS);
  for (let round = 0; round < ROUNDS; round += 1) {
    const fence = fenceOf(SHARD, race.token + 1n);
    const isStaged = round % stagedEvery === 0;
    const [seen, outcome] = isStaged
      ? await stagedRound(race, fence)
      : await freeRound(race, fence, rng);
    const version = await newestVersion(race.taker.truth, fence);
    expect(version).toBe(race.version + (outcome === 'committed' ? 1 : 0));
    if (version !== seen) tally.anomalies += 1;
    tally[outcome as 'fenced' | 'committed'] += 1;
    race.token = fence.token;
    race.version = version;
  }
  return tally;
}

describe(`former owner against take-over, ${ROUNDS} rounds, seed ${SEED}`, () => {
  it('finds no write that appears after the take-over has read', { timeout: 120_000 }, async () => {
    const race = await openRace();
    const tally = await runRounds(race, SEED);
    await closeRace(race);
    expect(tally.anomalies).toBe(0);
    expect(tally.fenced).toBeGreaterThan(STAGED_ROUNDS);
    expect(tally.committed).toBeGreaterThan(0);
  });

  it('finds them when one statement locks, checks and writes', { timeout: 120_000 }, async () => {
    const race = await openRace();
    await race.zombie.dataSource.query(SINGLE_STATEMENT_COMMIT);
    const tally = await runRounds(race, SEED);
    await closeRace(race);
    expect(tally.anomalies).toBeGreaterThanOrEqual(STAGED_ROUNDS);
  });
});
