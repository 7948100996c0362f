import { address } from '@pawl/contracts';
import type { ConsumerRecord } from '@pawl/engine';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openTruth } from '../open-truth.js';
import type { OpenedTruth } from '../open-truth.js';
import { AT, at, changeset, definition, fenceOf, snapshot } from '../testing/changesets.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';

const OWNER = fenceOf(3, 7);
const PROD = address('acme/prod');

let server: PostgresServer;
let opened: OpenedTruth;

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

beforeEach(async () => {
  const url = await server.createInstallation(64);
  opened = await openTruth({ url, installation: 'main', shards: 64, nodeId: 'node-1' });
  await opened.truth.raiseFence(OWNER, 'node-1');
  return () => opened.close();
}, START_HOOK_MS);

function consumer(root: string, consumerId: string): ConsumerRecord {
  return {
    root,
    workload: 'checkout',
    consumerId,
    incarnation: 'i1',
    build: null,
    labels: { region: 'eu' },
    slot: 1,
    lastSeenAt: AT,
    left: false,
    runs: [],
  };
}

it('reads what is published and who reported, whoever owns the shard now', async () => {
  const { truth, status, savedStatus } = opened;
  expect(await savedStatus.head(PROD)).toBeUndefined();
  const head = snapshot('acme/prod', 1);
  await truth.commit(
    OWNER,
    changeset({ definitions: [definition('acme/prod', 1)], snapshots: [head] }),
  );
  const { generation, version, hash } = head;
  expect(await savedStatus.head(PROD)).toEqual({ head: { generation, version }, published: null });
  await truth.markPublished(OWNER, [{ address: at('acme/prod'), version, publishedAt: AT }]);
  const others = Array.from({ length: 2_500 }, (_, n) => consumer('acme', `pod-${n}`));
  await status.save(OWNER, [...others, consumer('other', 'pod-1')]);
  await truth.raiseFence(fenceOf(3, 8), 'node-2');
  expect(await savedStatus.head(PROD)).toEqual({
    head: { generation, version },
    published: { generation, version, hash, at: AT, releases: [] },
  });
  const read = await savedStatus.consumers('acme');
  expect(read.map(({ consumerId }) => consumerId)).toEqual(
    others.map(({ consumerId }) => consumerId).toSorted(),
  );
  expect(read[0]).toEqual(others[0]);
  expect(await savedStatus.consumers('nobody')).toEqual([]);
});
