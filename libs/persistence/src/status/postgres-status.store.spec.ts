import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FencedError } from '@pawl/engine';
import type { ConsumerRecord, RunRecord, SavedStatusReader, StatusStore } from '@pawl/engine';
import { openTruth } from '../open-truth.js';
import { AT, at, fenceOf } from '../testing/changesets.js';
import { START_HOOK_MS, startPostgres } from '../testing/postgres-server.js';
import type { PostgresServer } from '../testing/postgres-server.js';

const FENCE = fenceOf(3, 7);
const ELSEWHERE = fenceOf(4, 9);
const LATER = '2026-03-05T00:00:00.000Z';

let server: PostgresServer;
let status: StatusStore;
let savedStatus: SavedStatusReader;

beforeAll(async () => {
  server = await startPostgres();
}, START_HOOK_MS);
afterAll(() => server.stop(), START_HOOK_MS);

beforeEach(async () => {
  const url = await server.createInstallation(64);
  const opened = await openTruth({ url, installation: 'main', shards: 64, nodeId: 'node-1' });
  await opened.truth.raiseFence(FENCE, 'node-1');
  await opened.truth.raiseFence(ELSEWHERE, 'node-1');
  ({ status, savedStatus } = opened);
  return () => opened.close();
}, START_HOOK_MS);

function consumer(parts: Partial<ConsumerRecord> = {}): ConsumerRecord {
  return {
    root: 'acme',
    workload: 'checkout',
    consumerId: 'host-1',
    incarnation: 'i1',
    build: null,
    labels: {},
    slot: null,
    lastSeenAt: AT,
    left: false,
    runs: [],
    ...parts,
  };
}

/** By an incarnation of its own, long ago. */
function ran(number: number, more: Partial<RunRecord> = {}): RunRecord {
  return {
    ...{ address: at('acme/prod'), workload: 'checkout', consumerId: 'host-1' },
    ...{ incarnation: `i${number}`, at: AT, generation: 1, version: 1, cohort: '', hash: null },
    ...{ rejectedVersion: null, reason: null, left: false },
    ...more,
  };
}

const FULL = consumer({
  build: 'v1.2',
  labels: { region: 'eu', odd: '\0"\\😀\uDFFF' },
  slot: 4,
  runs: [
    {
      address: at('acme/prod'),
      generation: 1,
      version: 9,
      highestVersion: 10,
      appliedAt: AT,
      rejectedVersion: 10,
      reason: 'limits\0 are "odd"',
      propagationMs: 12.5,
    },
  ],
});

describe('PostgresStatusStore', () => {
  it('gives back what it was given, by incarnation', async () => {
    const second = consumer({ incarnation: 'i2' });
    await status.save(FENCE, [FULL, second]);
    expect(await status.load(FENCE)).toEqual([FULL, second]);
    const later = { ...FULL, lastSeenAt: LATER, slot: null, build: null, runs: [], labels: {} };
    await status.save(FENCE, [later]);
    expect(await status.load(FENCE)).toEqual([later, second]);
  });

  it('keeps the last of several records of one incarnation', async () => {
    await status.save(FENCE, [consumer({ slot: 1 }), consumer({ slot: 2 })]);
    expect(await status.load(FENCE)).toEqual([consumer({ slot: 2 })]);
  });

  it('saves and pages through more than one batch', async () => {
    const records = Array.from({ length: 4_500 }, (_, index) =>
      consumer({ consumerId: `host-${index}` }),
    );
    await status.save(FENCE, records);
    const loaded = await status.load(FENCE);
    expect(loaded.map((record) => record.consumerId)).toEqual(
      records.map((record) => record.consumerId).toSorted(),
    );
  });

  it('sweeps what was not seen for long, in its own shard', async () => {
    const old = Array.from({ length: 1_500 }, (_, index) => consumer({ consumerId: `c${index}` }));
    const young = consumer({ consumerId: 'young', lastSeenAt: LATER });
    await status.save(FENCE, [...old, young]);
    await status.save(ELSEWHERE, [consumer({ root: 'other' })]);
    expect(await status.sweep(FENCE, AT)).toBe(0);
    expect(await status.sweep(FENCE, LATER)).toBe(1_500);
    expect(await status.load(FENCE)).toEqual([young]);
    expect(await status.load(ELSEWHERE)).toHaveLength(1);
  });

  it('does not let one consumer with impossible ids keep the others from being saved', async () => {
    const odd = consumer({ incarnation: '\0\uD800😀', build: 'b\0' });
    await status.save(FENCE, [odd, consumer()]);
    expect((await status.load(FENCE)).map((record) => [record.incarnation, record.build])).toEqual([
      ['i1', null],
      ['\uFFFD\uFFFD😀', 'b\uFFFD'],
    ]);
  });

  it('does not let one that says it runs as an impossible cohort keep the others from being saved', async () => {
    await status.saveRuns(FENCE, [ran(1, { cohort: 'c\0\uD800' }), ran(2)], []);
    const query = { address: at('acme/prod'), after: ['', '', ''], limit: 10 } as const;
    const runs = await savedStatus.runsAt({
      ...query,
      at: LATER,
      workload: null,
      consumerId: null,
    });
    expect(runs.map(({ cohort }) => cohort)).toEqual(['c\uFFFD\uFFFD', '']);
  });

  it('sweeps what consumers ran portion by portion, at every address of the shard and no other', async () => {
    const many = Array.from({ length: 6_000 }, (_, n) => ran(n));
    const few = [ran(1, { address: at('acme/app') }), ran(2, { address: at('acme/test') })];
    await status.saveRuns(FENCE, [...few, ...many], []);
    await status.saveRuns(ELSEWHERE, [ran(1, { address: at('other/app') })], []);
    expect(await status.sweepRuns(FENCE, AT, 100)).toBe(0);
    expect(await status.sweepRuns(FENCE, LATER, 10_000)).toBe(6_002);
    expect(await status.sweepRuns(ELSEWHERE, LATER, 10_000)).toBe(1);
  });

  it('writes nothing under another token', async () => {
    await expect(status.save(fenceOf(3, 6), [FULL])).rejects.toThrow(FencedError);
    expect(await status.load(FENCE)).toEqual([]);
  });
});
