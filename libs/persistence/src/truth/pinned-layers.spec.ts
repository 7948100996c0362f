import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AddressText } from '@pawl/contracts';
import type { Pin } from '@pawl/domain';
import type { TruthStore } from '@pawl/engine';
import { PinnedLayers1764000000016 } from '../migrations/1764000000016-pinned-layers.js';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import { AT, changeset, definition, fenceOf, release, snapshot } from '../testing/changesets.js';
import { dumpTruth } from '../testing/dump-truth.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';

const FENCE = fenceOf(5, 10);
const PIN: Pin = {
  ...{ ancestor: 'acme' as AddressText, version: 1, releaseVersion: 2, until: AT },
  ...{ by: 'ann', at: AT, reason: 'it is sick' },
};
const KEPT = { address: 'acme', definitionVersion: 1, releaseVersion: 2, loweredAt: 2 };
const INPUTS = [{ ...KEPT, pinnedAt: 'acme/eu' }];

let server: PostgresServer;
let opened: OpenedTruth;
let truth: TruthStore;
let url: string;

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

/** `acme/eu` stays at version 1 of `acme`, which is at 2. */
beforeEach(async () => {
  url = await server.createDatabase();
  opened = await openTruth({ url, installation: 'main', shards: 64, nodeId: 'node-1' });
  truth = opened.truth;
  await truth.raiseFence(FENCE, 'node-1');
  const change = changeset({
    definitions: [definition('acme', 1), definition('acme', 2), definition('acme/eu', 1)],
    releases: [
      release('acme', 1, { stableVersion: 2 }),
      release('acme', 2, { stableVersion: 2 }),
      release('acme/eu', 1, { pins: [PIN] }),
    ],
    snapshots: [{ ...snapshot('acme/eu', 1), inputs: INPUTS }],
  });
  expect(await truth.commit(FENCE, change)).toMatchObject({ kind: 'committed' });
  return () => opened.close();
}, START_HOOK_MS);

async function eu() {
  const images = await truth.loadShard(FENCE);
  return images.find(({ address }) => address === 'acme/eu');
}

/** Commits as a node of before would: it knows of no pins. */
async function commitAsBefore(of: { releases?: object[]; snapshots?: object[] }): Promise<void> {
  const { id } = await truth.installation();
  const lock = Number.parseInt(id.slice(0, 8), 16) >>> 1;
  const json = (rows: object[] | undefined) => rows && JSON.stringify(rows);
  await opened.dataSource.query(
    `SELECT pawl_commit($1, $2, $3, $4, 'acme', NULL, $5, $6, NULL, NULL, NULL, NULL, '{}')`,
    [lock, id, FENCE.shard, FENCE.token.toString(), json(of.releases), json(of.snapshots)],
  );
}

const next = (releaseVersion: number) => ({
  ...{ address: 'acme/eu', state: 'idle', releaseVersion, stableVersion: 1, contributionAt: 1 },
  ...{ loweredAt: null, forced: false, blockedVersions: [], candidateVersion: 0, queuedVersion: 0 },
});
const head = (version: number) => ({
  ...{ address: 'acme/eu', generation: 1, version, hash: 'a', variantHash: 'a', variantSize: 2 },
  ...{ variantAbsent: false, inputs: [KEPT], releases: null, cohorts: {} },
});

async function unpin(releaseVersion: number): Promise<void> {
  const { inputs: _, ...plain } = snapshot('acme/eu', releaseVersion);
  const change = changeset({
    releases: [release('acme/eu', releaseVersion, { pins: [] })],
    snapshots: [{ ...plain, inputs: [KEPT] }],
  });
  expect(await truth.commit(FENCE, change)).toMatchObject({ kind: 'committed' });
}

describe('what an address is pinned to', () => {
  it('is loaded with the version of the other address, which may be none of those in use there', async () => {
    const image = await eu();
    expect(image?.release.pins).toEqual([PIN]);
    expect(image?.pinned).toMatchObject([{ address: 'acme', version: 1 }]);
  });

  it('is not let go by a node of before, which changes nothing there and publishes nothing of it', async () => {
    const dump = await dumpTruth(url);
    await expect(commitAsBefore({ releases: [next(2)] })).rejects.toMatchObject({ code: 'PW002' });
    await expect(commitAsBefore({ snapshots: [head(2)] })).rejects.toMatchObject({ code: 'PW002' });
    expect(await dumpTruth(url)).toEqual(dump);
    await unpin(2);
    await commitAsBefore({ releases: [next(3)], snapshots: [head(3)] });
    expect((await eu())?.release).toMatchObject({ releaseVersion: 3, pins: [] });
  });

  it('is not lost by taking the migration back, which keeps the rest both ways', async () => {
    const migration = new PinnedLayers1764000000016();
    const runner = opened.dataSource.createQueryRunner();
    await expect(migration.down(runner)).rejects.toThrow(/unpin them first/);
    expect((await eu())?.release.pins).toEqual([PIN]);
    await unpin(2);
    const kept = (await eu())?.release;
    await migration.down(runner);
    await commitAsBefore({ releases: [next(3)], snapshots: [head(3)] });
    await migration.up(runner);
    await runner.release();
    expect((await eu())?.release).toMatchObject({
      ...kept,
      ...{ releaseVersion: 3, stableVersion: 1, contributionAt: 1 },
    });
  });
});
