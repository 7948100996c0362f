import { describe, expect, it } from 'vitest';
import { ABSENT_HASH } from '../messages/snapshot.message.js';
import type { Snapshot, SnapshotInput } from '../messages/snapshot.message.js';
import { heldBy } from './held-snapshot.js';
import { judgeSnapshot } from './judge-snapshot.js';

const INSTALLATION = 'main/0f3c';
const own = { installation: INSTALLATION };

function layer(
  definitionVersion: number | null,
  releaseVersion: number,
  loweredAt: number | null = null,
): SnapshotInput {
  return { address: 'acme', definitionVersion, releaseVersion, loweredAt };
}

function snapshot(change: Partial<Snapshot> = {}): Snapshot {
  return {
    format: 1,
    installation: INSTALLATION,
    address: 'acme/prod',
    generation: 2,
    version: 10,
    fencingToken: '5',
    publishedAt: '2026-01-02T03:04:05.678Z',
    inputs: [layer(3, 7)],
    releases: [],
    variants: {},
    hash: ABSENT_HASH,
    ...change,
  };
}

describe('judgeSnapshot: installation', () => {
  it.each([
    ['main', 'accept'],
    ['main/0f3c', 'accept'],
    ['main/0f3', 'foreign'],
    ['mai', 'foreign'],
    ['other', 'foreign'],
    ['main/', 'foreign'],
  ])('expected as %s, a snapshot of main/0f3c is judged %s', (installation, kind) => {
    expect(judgeSnapshot(null, snapshot(), { installation }).kind).toBe(kind);
  });

  it('that is held is the only one accepted, whatever its versions', () => {
    const incoming = snapshot({ installation: 'main/ffff', generation: 9, version: 99 });
    const judgement = judgeSnapshot(snapshot(), incoming, { installation: 'main' });
    expect(judgement.kind).toBe('foreign');
    expect(judgement).toHaveProperty('reason', expect.stringContaining('main/ffff'));
  });

  it('that is expected refuses another one, also when that other one is held', () => {
    const other = snapshot({ installation: 'main/ffff' });
    expect(judgeSnapshot(other, snapshot({ ...other, version: 11 }), own).kind).toBe('foreign');
  });
});

describe('judgeSnapshot: generation and version', () => {
  it('accepts the first snapshot, whatever it is', () => {
    const judgement = judgeSnapshot(null, snapshot({ inputs: [] }), own);
    expect(judgement).toEqual({ kind: 'accept', lowered: false });
  });

  it.each([
    [2, 9, 'older'],
    [1, 99, 'older'],
    [1, 10, 'older'],
    [2, 10, 'same'],
    [2, 11, 'accept'],
    [3, 1, 'accept'],
  ])('over (2, 10) judges (%i, %i) %s', (generation, version, kind) => {
    expect(judgeSnapshot(snapshot(), snapshot({ generation, version }), own).kind).toBe(kind);
  });

  it('reports the version held with another hash', () => {
    const incoming = snapshot({ hash: 'a'.repeat(64) });
    const judgement = judgeSnapshot(snapshot(), incoming, own);
    expect(judgement.kind).toBe('conflict');
    expect(judgement).toHaveProperty('reason', expect.stringContaining('a'.repeat(64)));
  });

  it('does not compare tokens', () => {
    const incoming = snapshot({ version: 11, fencingToken: '1' });
    expect(judgeSnapshot(snapshot(), incoming, own).kind).toBe('accept');
  });

  it('resets the comparison of layers with a higher generation', () => {
    const incoming = snapshot({ generation: 3, version: 1, inputs: [layer(1, 1)] });
    expect(judgeSnapshot(snapshot(), incoming, own)).toEqual({ kind: 'accept', lowered: false });
  });
});

describe('judgeSnapshot: layers', () => {
  const next = (...inputs: SnapshotInput[]) =>
    judgeSnapshot(snapshot(), snapshot({ version: 11, inputs }), own);

  it.each([
    ['the same', layer(3, 7)],
    ['higher', layer(4, 8)],
    ['higher after it was lowered', layer(4, 12, 9)],
    ['back at the same after it was lowered', layer(3, 12, 9)],
  ])('accepts a layer that is %s', (_, input) => {
    expect(next(input)).toEqual({ kind: 'accept', lowered: false });
  });

  it.each([
    ['lower', layer(2, 8, 8)],
    ['disabled', layer(null, 8, 8)],
    ['lower, then changed again', layer(1, 12, 8)],
  ])('accepts a layer that is %s and says so', (_, input) => {
    expect(next(input)).toEqual({ kind: 'accept', lowered: true });
  });

  it.each([
    ['lower', layer(2, 8), /acme was at definition version 3 .*is at version 2/],
    ['lower since before', layer(2, 8, 7), /lowered at release version 7.*held is 7/],
    ['lower since long before', layer(2, 8, 1), /lowered at release version 1/],
    ['disabled', layer(null, 8), /acme was at definition version 3 .*is disabled/],
    ['disabled since before', layer(null, 8, 7), /is disabled/],
  ])('refuses a layer that is %s without saying so', (_, input, reason) => {
    const judgement = next(input);
    expect(judgement.kind).toBe('refuse');
    expect(judgement).toHaveProperty('reason', expect.stringMatching(reason));
  });

  it('refuses when a layer is missing, whatever the others say', () => {
    const judgement = next({ ...layer(9, 20, 19), address: 'acme/prod' });
    expect(judgement.kind).toBe('refuse');
    expect(judgement).toHaveProperty('reason', expect.stringMatching(/acme .*is missing/));
  });

  it('judges every layer held, not only the first', () => {
    const below = (version: number, loweredAt: number | null): SnapshotInput => ({
      ...layer(version, 9, loweredAt),
      address: 'acme/prod',
    });
    const held = snapshot({ inputs: [layer(3, 7), below(5, null)] });
    const incoming = (lower: SnapshotInput) =>
      judgeSnapshot(held, snapshot({ version: 11, inputs: [layer(2, 8, 8), lower] }), own);
    expect(incoming(below(4, 9)).kind).toBe('refuse');
    expect(incoming(below(4, 10))).toEqual({ kind: 'accept', lowered: true });
  });

  it('lets a layer that was disabled come back at any version, and new ones come', () => {
    const held = snapshot({ inputs: [layer(null, 7, 7)] });
    const inputs = [layer(1, 9, 8), { ...layer(1, 1), address: 'acme/prod' }];
    const judgement = judgeSnapshot(held, snapshot({ version: 11, inputs }), own);
    expect(judgement).toEqual({ kind: 'accept', lowered: false });
  });
});

describe('judgeSnapshot: cohorts', () => {
  const consumer = (slot: number | null, region = 'eu') => ({
    ...{ workload: 'app', slot, labels: { region } },
  });
  const release = { id: 'r1', address: 'acme', salt: 's' };
  const stage = { basisPoints: 0, named: ['app/1', 'app/3'] };
  const candidate = { ...layer(3, 7), candidate: 4 };
  const staged = snapshot({ inputs: [candidate], releases: [{ ...release, stages: [stage] }] });
  const held = heldBy(consumer(1), staged);
  const judge = (slot: number | null, incoming: Snapshot, before = held) =>
    judgeSnapshot(before, incoming, { ...own, identity: consumer(slot) });
  const next = (change: Partial<Snapshot>) => snapshot({ ...staged, version: 11, ...change });

  it('holds the layers as the consumer runs them', () => {
    expect(held).toMatchObject({ cohort: 'r1', identity: consumer(1), inputs: [layer(4, 7)] });
    expect(heldBy(consumer(2), staged)).toMatchObject({ cohort: '', inputs: [candidate] });
    expect(heldBy(consumer(null), staged)).toMatchObject({ cohort: '', inputs: [candidate] });
  });

  it('accept the snapshot held once more as another cohort only', () => {
    expect(judge(1, staged).kind).toBe('same');
    expect(judge(3, staged).kind).toBe('same');
    expect(judge(2, staged)).toEqual({ kind: 'accept', lowered: true });
    expect(judge(null, staged)).toEqual({ kind: 'accept', lowered: true });
    expect(judge(1, staged, heldBy(consumer(2), staged))).toEqual({
      ...{ kind: 'accept', lowered: false },
    });
    expect(judge(2, snapshot({ ...staged, hash: 'a'.repeat(64) })).kind).toBe('conflict');
    expect(judge(2, snapshot({ ...staged, version: 9 })).kind).toBe('older');
    expect(judgeSnapshot(held, staged, own).kind).toBe('same');
  });

  it('compare candidates with candidates', () => {
    expect(judge(1, next({}))).toEqual({ kind: 'accept', lowered: false });
    expect(judge(1, next({ inputs: [layer(4, 8)], releases: [] })).kind).toBe('accept');
    expect(judge(1, next({ inputs: [layer(3, 8)], releases: [] })).kind).toBe('refuse');
    expect(judge(1, next({ inputs: [layer(3, 8, 8)], releases: [] }))).toEqual({
      ...{ kind: 'accept', lowered: true },
    });
  });

  it('let a layer go down for who left the release, as long as that is there and no lower', () => {
    expect(judge(2, next({}))).toEqual({ kind: 'accept', lowered: true });
    expect(judge(2, next({ inputs: [{ ...candidate, candidate: 5 }] })).kind).toBe('accept');
    expect(judge(2, next({ inputs: [{ ...candidate, candidate: 3 }] })).kind).toBe('refuse');
    expect(judge(2, next({ inputs: [layer(3, 8)] })).kind).toBe('refuse');
    expect(judge(2, next({ releases: [] })).kind).toBe('refuse');
    const of = (change: object) => next({ releases: [{ ...release, stages: [], ...change }] });
    expect(judge(2, of({})).kind).toBe('accept');
    expect(judge(2, of({ id: 'r2' })).kind).toBe('refuse');
    expect(judge(2, of({ address: 'acme/prod' })).kind).toBe('refuse');
    expect(judge(1, of({})).kind).toBe('refuse');
  });

  it('let it go down for other labels too, and for nobody who was in no cohort', () => {
    const selector = { region: ['eu'] };
    const regional = next({ releases: [{ ...release, stages: [{ ...stage, selector }] }] });
    const moved = { ...own, identity: consumer(1, 'us') };
    expect(judgeSnapshot(heldBy(consumer(1), regional), regional, moved)).toEqual({
      ...{ kind: 'accept', lowered: true },
    });
    const forged = next({ inputs: [{ ...layer(2, 8), candidate: 9 }] });
    expect(judge(2, forged, heldBy(consumer(5), staged)).kind).toBe('refuse');
    const { identity: _, cohort: __, ...ofBefore } = heldBy(consumer(null), staged);
    expect(judge(2, forged, ofBefore).kind).toBe('refuse');
    expect(judge(1, staged, ofBefore).kind).toBe('accept');
  });
});
