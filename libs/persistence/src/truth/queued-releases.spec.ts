import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { QueuedRelease } from '@pawl/domain';
import type { TruthStore } from '@pawl/engine';
import { QueuedReleases1764000000015 } from '../migrations/1764000000015-queued-releases.js';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import { AT, changeset, definition, fenceOf, release } from '../testing/changesets.js';
import { dumpTruth } from '../testing/dump-truth.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';

const FENCE = fenceOf(5, 10);
const QUEUED: QueuedRelease = {
  ...{ id: 'release-2', targetVersion: 2, strategy: null, by: 'ann', queuedAt: AT, generation: 1 },
  ...{ reason: 'the sale', freezeException: null, beginAt: AT },
};

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
  const change = changeset({
    definitions: [definition('acme', 1), definition('acme', 2)],
    releases: [
      release('acme', 1, { stableVersion: 1 }),
      release('acme', 2, { stableVersion: 1, queued: QUEUED }),
    ],
  });
  expect(await truth.commit(FENCE, change)).toMatchObject({ kind: 'committed' });
  return () => opened.close();
}, START_HOOK_MS);

async function releaseNow() {
  const [image] = await truth.loadShard(FENCE);
  return image?.release;
}

async function cancel(releaseVersion: number): Promise<void> {
  const change = changeset({
    releases: [release('acme', releaseVersion, { stableVersion: 1, queued: null })],
  });
  expect(await truth.commit(FENCE, change)).toMatchObject({ kind: 'committed' });
}

/** Commits as a node of before would: it does not know `queued`. */
async function commitAsBefore(releaseVersion: number): Promise<void> {
  const { id } = await truth.installation();
  const lock = Number.parseInt(id.slice(0, 8), 16) >>> 1;
  const next = {
    ...{ address: 'acme', state: 'idle', releaseVersion, stableVersion: 1, contributionAt: 1 },
    ...{ loweredAt: null, forced: false, blockedVersions: [], candidateVersion: 0 },
  };
  await opened.dataSource.query(
    `SELECT pawl_commit($1, $2, $3, $4, 'acme', NULL, $5, NULL, NULL, NULL, NULL, NULL, '{}')`,
    [lock, id, FENCE.shard, FENCE.token.toString(), JSON.stringify([next])],
  );
}

describe('a promote that begins later', () => {
  it('is not lost by a node of before, which cannot change the state of its address', async () => {
    const dump = await dumpTruth(url);
    await expect(commitAsBefore(3)).rejects.toMatchObject({ code: 'PW002' });
    expect(await dumpTruth(url)).toEqual(dump);
    await cancel(3);
    await commitAsBefore(4);
    expect(await releaseNow()).toMatchObject({ releaseVersion: 4, queued: null });
  });

  it('is not lost by taking the migration back, which keeps the rest both ways', async () => {
    const migration = new QueuedReleases1764000000015();
    const runner = opened.dataSource.createQueryRunner();
    await expect(migration.down(runner)).rejects.toThrow(/queued or scheduled/);
    expect((await releaseNow())?.queued).toEqual(QUEUED);
    await cancel(3);
    const kept = await releaseNow();
    await migration.down(runner);
    await commitAsBefore(4);
    await migration.up(runner);
    await runner.release();
    expect(await releaseNow()).toEqual({ ...kept, releaseVersion: 4, contributionAt: 1 });
  });
});
