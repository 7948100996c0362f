import { describe, expect, it } from 'vitest';
import { ABSENT_HASH } from '../messages/snapshot.message.js';
import type { Snapshot, SnapshotInput } from '../messages/snapshot.message.js';
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
