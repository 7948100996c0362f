import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OutcomeUnknownError } from '@pawl/engine';
import type { Changeset, CommitOutcome } from '@pawl/engine';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import { Blocker, WAITS_FOR } from '../testing/blocker.js';
import { lockKeyOf } from '../sessions/fenced-statements.js';
import {
  AT,
  at,
  changeset,
  definition,
  fenceOf,
  record,
  release,
  schema,
  snapshot,
  written,
} from '../testing/changesets.js';
import { dumpTruth } from '../testing/dump-truth.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';

const SHARD = 7;
const OLD = fenceOf(SHARD, 20);
const NEW = fenceOf(SHARD, 21);

/** Writes to every table that a commit can touch. */
const EVERYTHING: Changeset = changeset({
  definitions: [
    definition('acme/new', 1, { schema: schema('{}') }),
    definition('acme', 2, { schema: schema('{"type":"object"}') }),
  ],
  releases: [release('acme', 1, { stableVersion: 1 })],
  snapshots: [snapshot('acme', 2)],
  opened: [at('acme/opened')],
  forgotten: [at('acme/forgotten')],
  history: [written('acme', 2)],
  idempotency: record('key'),
});
/** The second of these waits for whoever inserts its definition. */
const GROUP: readonly Changeset[] = [
  EVERYTHING,
  changeset({
    root: 'near',
    definitions: [definition('near', 1)],
    history: [written('near', 1)],
    idempotency: record('near key'),
  }),
];
const RELEASE: Changeset = changeset({
  releases: EVERYTHING.releases,
  snapshots: EVERYTHING.snapshots,
  history: [written('acme', 2)],
});
const OPENING: Changeset = changeset({ opened: EVERYTHING.opened });
const FORGETTING: Changeset = changeset({ forgotten: EVERYTHING.forgotten });

let server: PostgresServer;
let url: string;
let owner: OpenedTruth;
let taker: OpenedTruth;
let blocker: Blocker;

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

beforeEach(async () => {
  url = await server.createInstallation(64);
  const options = { url, installation: 'main', shards: 64, takeoverGraceMs: 50 };
  owner = await openTruth({ ...options, nodeId: 'owner' });
  taker = await openTruth({ ...options, nodeId: 'taker' });
  blocker = await Blocker.open(url);
  await owner.truth.raiseFence(OLD, 'owner');
  const first = changeset({
    definitions: [definition('acme', 1)],
    opened: [at('acme/forgotten')],
    snapshots: [snapshot('acme', 1)],
  });
  expect(await owner.truth.commit(OLD, first)).toMatchObject({ kind: 'committed' });
}, START_HOOK_MS);

afterEach(async () => {
  await blocker.close();
  await taker.close();
  await owner.close();
});

const outcomeOf = (commit: Promise<CommitOutcome>): Promise<unknown> =>
  commit.catch((error: unknown) => error);

/** Whoever was paused and wakes up again finds the fence, and the new owner finds no trace of it. */
async function expectNothingChanged(before: unknown, changes: Changeset): Promise<void> {
  expect(await dumpTruth(url)).toEqual(before);
  expect(await owner.truth.commit(OLD, changes)).toEqual({ kind: 'fenced', token: NEW.token });
  expect(await dumpTruth(url)).toEqual(before);
  expect(await taker.truth.commit(NEW, changes)).toMatchObject({ kind: 'committed' });
}

describe('a writer paused inside its transaction changes nothing once the fence is raised', () => {
  it('before it has the shard lock', async () => {
    const before = await dumpTruth(url);
    await blocker.hold('SELECT FROM shard_fence WHERE shard = $1 FOR UPDATE', [SHARD]);
    const raised = taker.truth.raiseFence(NEW, 'taker');
    await blocker.someoneWaits(WAITS_FOR.row);
    const paused = outcomeOf(owner.truth.commit(OLD, EVERYTHING));
    await blocker.someoneWaits(WAITS_FOR.shard(SHARD));
    await blocker.release();
    expect(await raised).toBe('raised');
    expect(await paused).toEqual({ kind: 'fenced', token: NEW.token });
    await expectNothingChanged(before, EVERYTHING);
  });

  it('after the shard lock, at the fence row', async () => {
    const before = await dumpTruth(url);
    await blocker.hold('LOCK TABLE shard_fence IN ACCESS EXCLUSIVE MODE');
    const paused = outcomeOf(owner.truth.commit(OLD, EVERYTHING));
    await blocker.someoneWaits(WAITS_FOR.table('shard_fence'));
    const raised = taker.truth.raiseFence(NEW, 'taker');
    expect(await paused).toBeInstanceOf(OutcomeUnknownError);
    await blocker.release();
    expect(await raised).toBe('raised');
    await expectNothingChanged(before, EVERYTHING);
  });

  it.each<[string, string, Changeset]>([
    ['its definitions', 'config_definition', EVERYTHING],
    ['the address of a new definition', 'config_address', EVERYTHING],
    ['its schemas', 'config_schema', EVERYTHING],
    ['the addresses it opens', 'config_address', OPENING],
    ['its releases', 'config_address', RELEASE],
    ['its snapshots', 'config_snapshot', EVERYTHING],
    ['the addresses it forgets', 'config_address', FORGETTING],
    ['its history', 'history_entry', EVERYTHING],
    ['its idempotency record', 'idempotency_record', EVERYTHING],
  ])('at %s', async (_, table, changes) => {
    const before = await dumpTruth(url);
    await blocker.hold(`LOCK TABLE ${table} IN EXCLUSIVE MODE`);
    const paused = outcomeOf(owner.truth.commit(OLD, changes));
    await blocker.someoneWaits(WAITS_FOR.table(table));
    expect(await taker.truth.raiseFence(NEW, 'taker')).toBe('raised');
    await blocker.release();
    expect(await paused).toBeInstanceOf(OutcomeUnknownError);
    await expectNothingChanged(before, changes);
  });

  it('after everything is written, at its commit', async () => {
    await owner.dataSource.query(`
      CREATE FUNCTION pause_at_commit() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(1, 2); RETURN NULL; END'`);
    await owner.dataSource.query(`
      CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON idempotency_record
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause_at_commit()`);
    const before = await dumpTruth(url);
    await blocker.hold('SELECT pg_advisory_xact_lock(1, 2)');
    const paused = outcomeOf(owner.truth.commit(OLD, EVERYTHING));
    await blocker.someoneWaits("l.locktype = 'advisory' AND l.classid = 1");
    expect(await taker.truth.raiseFence(NEW, 'taker')).toBe('raised');
    await blocker.release();
    expect(await paused).toBeInstanceOf(OutcomeUnknownError);
    await expectNothingChanged(before, EVERYTHING);
  });

  it('but commits first when it goes on before the grace is over, and the new owner sees it', async () => {
    await blocker.hold('LOCK TABLE history_entry IN EXCLUSIVE MODE');
    const patient = await openTruth({
      url,
      installation: 'main',
      shards: 64,
      nodeId: 'patient',
      leaseTtlMs: 60_000,
      takeoverGraceMs: 20_000,
    });
    const paused = outcomeOf(owner.truth.commit(OLD, EVERYTHING));
    await blocker.someoneWaits(WAITS_FOR.table('history_entry'));
    const raised = patient.truth.raiseFence(NEW, 'patient');
    await blocker.someoneWaits(WAITS_FOR.shard(SHARD));
    await blocker.release();
    expect(await paused).toMatchObject({ kind: 'committed' });
    expect(await raised).toBe('raised');
    const images = await patient.truth.loadShard(NEW);
    expect(images.map((image) => image.address)).toEqual(['acme', 'acme/new', 'acme/opened']);
    await patient.close();
  });
});

describe('a group of changesets paused inside its transaction changes nothing either', () => {
  it('before it has the shard lock', async () => {
    const before = await dumpTruth(url);
    await blocker.hold('SELECT FROM shard_fence WHERE shard = $1 FOR UPDATE', [SHARD]);
    const raised = taker.truth.raiseFence(NEW, 'taker');
    await blocker.someoneWaits(WAITS_FOR.row);
    const paused = outcomeOf(owner.truth.commitAll(OLD, GROUP));
    await blocker.someoneWaits(WAITS_FOR.shard(SHARD));
    await blocker.release();
    expect(await raised).toBe('raised');
    expect(await paused).toEqual({ kind: 'fenced', token: NEW.token });
    await expectNothingOfGroup(before);
  });

  it('between two of its changesets', async () => {
    const before = await dumpTruth(url);
    await blocker.hold(
      "INSERT INTO config_definition (address, version, author, created_at) VALUES ('near', 1, 'test', now())",
    );
    const paused = outcomeOf(owner.truth.commitAll(OLD, GROUP));
    await blocker.someoneWaits(WAITS_FOR.row);
    expect(await taker.truth.raiseFence(NEW, 'taker')).toBe('raised');
    await blocker.release();
    expect(await paused).toBeInstanceOf(OutcomeUnknownError);
    await expectNothingOfGroup(before);
  });
});

describe('a claim', () => {
  it('ends nobody who waits to accept a restore', async () => {
    await blocker.hold('SELECT pg_advisory_xact_lock_shared($1, 5)', [await lockKey()]);
    const seen = { generation: 1, shards: [] };
    const accepted = owner.truth.acceptRestore({ author: 'ada', reason: 'lost', at: AT, seen });
    await blocker.someoneWaits(WAITS_FOR.shard(5));
    const raised = taker.truth.raiseFence(fenceOf(3, 30), 'taker');
    // It waits anew after each grace.
    const waits = new Set<string>();
    const deadline = performance.now() + 10_000;
    while (waits.size < 3 && performance.now() < deadline) {
      const since = await waitingSince(3);
      if (since !== undefined) waits.add(since);
    }
    expect(waits.size).toBe(3);
    await blocker.release();
    expect([await accepted, await raised]).toEqual(['nothing-behind', 'raised']);
  });
});

/** First half of the keys of shards' locks. */
async function lockKey(): Promise<number> {
  return lockKeyOf((await owner.truth.installation()).id);
}

async function waitingSince(shard: number): Promise<string | undefined> {
  const [row] = await owner.dataSource.query<{ since: string | null }[]>(
    `SELECT l.waitstart::text AS since FROM pg_locks l
      WHERE NOT l.granted AND ${WAITS_FOR.shard(shard)}`,
  );
  return row?.since ?? undefined;
}

async function expectNothingOfGroup(before: unknown): Promise<void> {
  expect(await dumpTruth(url)).toEqual(before);
  expect(await owner.truth.commitAll(OLD, GROUP)).toEqual({ kind: 'fenced', token: NEW.token });
  expect(await dumpTruth(url)).toEqual(before);
  expect(await taker.truth.commitAll(NEW, GROUP)).toMatchObject({ kind: 'committed' });
}
