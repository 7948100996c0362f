import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject, SnapshotRelease } from '@pawl/contracts';
import { computeHead, computeVariant } from '@pawl/domain';
import type { SnapshotHead, StagedRelease } from '@pawl/domain';
import type { Changeset, TruthStore } from '@pawl/engine';
import { StagedReleases1764000000011 } from '../migrations/1764000000011-staged-releases.js';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import {
  at,
  changeset,
  definition,
  fenceOf,
  hashOf,
  release,
  snapshot,
} from '../testing/changesets.js';
import { dumpTruth } from '../testing/dump-truth.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';
import { encodeChangesets } from './encode-changeset.js';

const FENCE = fenceOf(5, 10);
const ODD = { 'zone "\u0000': ['\u0000', '😀'], area: ['eu', 'us'] };
const STAGED: StagedRelease = {
  id: 'release-1',
  candidateVersion: 2,
  strategy: 'inline',
  stages: [
    { selector: ODD, percent: 12.5, bakeMs: 0 },
    { percent: 100, bakeMs: 0 },
  ],
  gates: [],
  stage: 0,
  pausedFor: null,
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
  return () => opened.close();
}, START_HOOK_MS);

async function commit(parts: Partial<Changeset>): Promise<void> {
  expect(await truth.commit(FENCE, changeset(parts))).toMatchObject({ kind: 'committed' });
}

async function image(address: string) {
  const images = await truth.loadShard(FENCE);
  return images.find((each) => each.address === address);
}

/** Two versions of `acme`, the first of which is stable, the second released in stages. */
async function begin(staged: StagedRelease = STAGED): Promise<void> {
  await commit({
    definitions: [definition('acme', 1), definition('acme', 2)],
    releases: [
      release('acme', 1, { stableVersion: 1 }),
      release('acme', 2, { stableVersion: 1, state: 'rolling', staged }),
    ],
  });
}

function releaseOf(id: string, names: number): SnapshotRelease {
  const named = Array.from({ length: names }, (_, slot) => `workload-${id}/slot-${slot}`);
  const stages = [
    { basisPoints: 0, named, selector: ODD },
    { selector: { area: ['eu'] }, basisPoints: 10_000 },
  ];
  return { salt: id, id, address: at('acme'), stages };
}

/** What each cohort of a snapshot with the releases `x` and `a` reads. */
const DOCUMENTS: Readonly<Record<string, JsonObject | null>> = {
  '': { v: 1 },
  x: { v: 1e21, '\u0000': [0.1] },
  a: null,
  'a+x': {},
};

function headOf(names: number): SnapshotHead {
  const variants = Object.entries(DOCUMENTS).map(
    ([cohort, document]) => [cohort, computeVariant(document, hashOf).variant] as const,
  );
  const { '': variant, ...cohorts } = Object.fromEntries(variants);
  return recompute({
    address: at('acme'),
    generation: 1,
    version: 7,
    inputs: [
      { address: 'acme', definitionVersion: 1, releaseVersion: 2, loweredAt: null, candidate: 2 },
    ],
    releases: [releaseOf('x', names), releaseOf('a', 3)],
    variant: variant!,
    cohorts,
  });
}

function recompute(head: Omit<SnapshotHead, 'hash'>): SnapshotHead {
  const documentOf = (cohort: string) => DOCUMENTS[cohort];
  return computeHead({ ...head, installation: 'main/1', documentOf, sha256: hashOf });
}

describe('releases in stages', () => {
  it.each([
    ['few names', 2],
    ['10,000 names', 10_000],
  ])('come back in a head with %s, of which the same hash is computed', async (_, names) => {
    const head = headOf(names);
    await commit({ definitions: [definition('acme', 1)], snapshots: [head] });
    const found = (await image('acme'))?.snapshot;
    expect(found).toEqual(head);
    const { hash, ...rest } = found!;
    expect(recompute(rest).hash).toBe(hash);
  });

  it('are kept with as many stages and values as there may be, in the order they were given', async () => {
    const values = Array.from({ length: 64 }, (_, value) => `value ${value} `.padEnd(24, 'é'));
    const stages = Array.from({ length: 64 }, () => ({
      selector: { z: values },
      count: 1,
      bakeMs: 0,
    }));
    const staged = { ...STAGED, stages, pausedFor: 'é'.repeat(1024) };
    expect(JSON.stringify(staged).length).toBeGreaterThan(100_000);
    await begin(staged);
    const found = await image('acme');
    expect(JSON.stringify(found?.release.staged)).toBe(JSON.stringify(staged));
    expect([found?.stable?.version, found?.candidate?.version]).toEqual([1, 2]);
    expect(found?.candidate).toBe(found?.newest);
  });

  it('whose candidate is no definition stop the load', async () => {
    await begin({ ...STAGED, candidateVersion: 3 });
    await expect(truth.loadShard(FENCE)).rejects.toThrow(/candidate version of acme/);
  });

  it('are sent once for all snapshots of a group that have them in common', () => {
    const parts = ['acme/a', 'acme/b'].map((address) =>
      changeset({
        snapshots: [1, 2].map((version) =>
          snapshot(address, version, { releases: [releaseOf('x', 3)] }),
        ),
      }),
    );
    const other = changeset({
      snapshots: [snapshot('acme', 1, { releases: [releaseOf('a', 1)] })],
    });
    expect(encodeChangesets([...parts, other]).texts).toEqual([
      JSON.stringify([releaseOf('x', 3)]),
      JSON.stringify([releaseOf('a', 1)]),
    ]);
  });
});

/** Commits as a node of before would: it knows neither `staged` nor `releases` and `cohorts`. */
async function commitAsBefore(releases: unknown[], snapshots: unknown[]): Promise<void> {
  const { id } = await truth.installation();
  const lock = Number.parseInt(id.slice(0, 8), 16) >>> 1;
  const json = (items: unknown[]) => (items.length === 0 ? null : JSON.stringify(items));
  await opened.dataSource.query(
    `SELECT pawl_commit($1, $2, $3, $4, 'acme', NULL, $5, $6, NULL, NULL, NULL, NULL, '{}')`,
    [lock, id, FENCE.shard, FENCE.token.toString(), json(releases), json(snapshots)],
  );
}

/** A release state of `acme` as such a node writes it. */
function before(releaseVersion: number): unknown {
  const rest = { contributionAt: 1, loweredAt: null, forced: false, blockedVersions: [] };
  return { address: 'acme', state: 'idle', releaseVersion, stableVersion: 1, ...rest };
}

describe('a node of before', () => {
  it('cannot change the state of an address with a release in stages', async () => {
    await begin();
    const dump = await dumpTruth(url);
    await expect(commitAsBefore([before(3)], [])).rejects.toMatchObject({ code: 'PW002' });
    expect(await dumpTruth(url)).toEqual(dump);
    const ended = { stableVersion: 2, state: 'idle', staged: null } as const;
    await commit({ releases: [release('acme', 3, ended)] });
    await commitAsBefore([before(4)], []);
    expect((await image('acme'))?.release).toMatchObject({ releaseVersion: 4, staged: null });
  });

  it('writes snapshots without releases, also where there were some', async () => {
    await begin();
    await commit({ snapshots: [headOf(2)] });
    const hash = hashOf('8');
    const variant = { variantHash: hash, variantSize: 2, variantAbsent: false };
    const head = { address: 'acme', generation: 1, version: 8, hash, inputs: [] };
    await commitAsBefore([], [{ ...head, ...variant }]);
    const found = await image('acme');
    expect(found?.snapshot).toMatchObject({ ...head, releases: [], cohorts: {} });
    expect(found?.release.staged).toEqual(STAGED);
  });
});

describe('the migration', () => {
  it('keeps what was there, both ways, and refuses to lose a release in stages', async () => {
    await begin();
    await commit({ snapshots: [snapshot('acme', 1)] });
    const migration = new StagedReleases1764000000011();
    const runner = opened.dataSource.createQueryRunner();
    await expect(migration.down(runner)).rejects.toThrow(/releases in stages are under way/);
    expect((await image('acme'))?.release.staged).toEqual(STAGED);
    await commit({ releases: [release('acme', 3, { stableVersion: 1, contributionAt: 1 })] });
    const kept = await image('acme');
    await migration.down(runner);
    await commitAsBefore([before(4)], []);
    await migration.up(runner);
    await runner.release();
    expect(await image('acme')).toEqual({
      ...kept,
      release: { ...kept?.release, releaseVersion: 4 },
    });
  });
});
