import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Changeset, TruthStore } from '@pawl/engine';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import {
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

const FENCE = fenceOf(5, 10);

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

describe('a conflict', () => {
  const good: Partial<Changeset> = {
    definitions: [definition('acme/new', 1, { schema: schema('{}') })],
    releases: [release('acme', 2, { stableVersion: 1 })],
    snapshots: [snapshot('acme', 6, { generation: 2 })],
    opened: [at('acme/x')],
    forgotten: [at('acme/opened')],
    history: [written('acme/new', 1)],
    idempotency: record('second'),
  };

  beforeEach(async () => {
    await commit({
      definitions: [definition('acme', 1), definition('acme', 2)],
      opened: [at('acme/opened')],
      history: [written('acme', 1)],
      idempotency: record('first'),
    });
    await commit({
      releases: [release('acme', 1, { stableVersion: 1 })],
      snapshots: [snapshot('acme', 5, { generation: 2 })],
    });
  });

  it.each<[string, Partial<Changeset>, RegExp]>([
    ['a version that is there', { definitions: [definition('acme', 2)] }, /acme.*version 1/],
    ['a gap', { definitions: [definition('acme', 4)] }, /acme.*version 3/],
    ['a first version again', { definitions: [definition('acme', 1)] }, /acme.*version 0/],
    ['a second without a first', { definitions: [definition('acme/n', 2)] }, /acme\/n.*1/],
    ['a release version again', { releases: [release('acme', 1)] }, /acme.*version 0/],
    ['a release version ahead', { releases: [release('acme', 3)] }, /acme.*version 2/],
    ['a release of nothing', { releases: [release('acme/n', 1)] }, /acme\/n.*version 0/],
    [
      'the same snapshot version',
      { snapshots: [snapshot('acme', 5, { generation: 2 })] },
      /0 of 1 snapshots/,
    ],
    ['a lower generation', { snapshots: [snapshot('acme', 9, { generation: 1 })] }, /0 of 1/],
    ['a snapshot of nothing', { snapshots: [snapshot('acme/n', 1)] }, /0 of 1 snapshots/],
    ['opening what is known', { opened: [at('acme')] }, /0 of 1 opened/],
    ['forgetting what is defined', { forgotten: [at('acme')] }, /0 of 1 forgotten/],
    ['an idempotency key again', { idempotency: record('first') }, /idempotency key/],
  ])('%s writes nothing at all', async (_, bad, what) => {
    const before = await dumpTruth(url);
    const definitions = [...(good.definitions ?? []), ...(bad.definitions ?? [])];
    const parts: Partial<Changeset> = { ...good, ...bad, definitions };
    const outcome = await truth.commit(FENCE, changeset(parts));
    expect(outcome).toEqual({ kind: 'conflict', what: expect.stringMatching(what) as string });
    expect(await dumpTruth(url)).toEqual(before);
  });

  it('is not found in what is right', async () => {
    await commit(good);
    expect((await truth.loadRoot(FENCE, 'acme')).map((each) => each.address)).toEqual([
      'acme',
      'acme/new',
      'acme/x',
    ]);
  });

  it('leaves exactly one of many writers of one version', async () => {
    const racing = Array.from({ length: 12 }, (_, index) =>
      truth.commit(
        FENCE,
        changeset({
          definitions: [definition('acme', 3, { author: `author-${index}` })],
          history: [written('acme', 3)],
        }),
      ),
    );
    const kinds = (await Promise.all(racing)).map((outcome) => outcome.kind).sort();
    expect(kinds).toEqual(['committed', ...Array.from({ length: 11 }, () => 'conflict')]);
    const entries = await truth.readHistory(FENCE, at('acme'), { limit: 10 });
    expect(entries.map((entry) => entry.version)).toEqual([3, 1]);
  });
});
