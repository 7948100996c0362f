import { ABSENT_HASH, address, LIMITS, snapshotHash, STABLE_COHORT } from '@pawl/contracts';
import type { JsonObject, Snapshot, SnapshotRelease } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { parseMessage } from '@pawl/contracts/validate';
import { describe, expect, it } from 'vitest';
import { INITIAL_RELEASE } from '../release/release-state.js';
import type { ReleaseState } from '../release/release-state.js';
import { INSTALLATION, makeSnapshot, PUBLISHED_AT } from '../testing/make-snapshot.js';
import { buildSnapshot } from './build-snapshot.js';
import type { DocumentOf } from './build-snapshot.js';
import { computeVariant } from './compute-head.js';
import { snapshotInput } from './snapshot-input.js';

const ADDRESS = address('acme/prod').text;
const inputs = [
  { address: 'acme', definitionVersion: 2, releaseVersion: 3, loweredAt: null, candidate: 4 },
];
const releases: readonly SnapshotRelease[] = [
  { id: 'r1', address: 'acme', salt: 'r1', stages: [{ basisPoints: 500, named: ['checkout/0'] }] },
];

function snapshotOf(document: JsonObject | null, token = 7n) {
  return makeSnapshot({
    ...{ address: ADDRESS, version: 4, inputs, token },
    documents: { [STABLE_COHORT]: document },
  });
}

function stagedSnapshot(documents: Readonly<Record<string, JsonObject | null>>, of = releases) {
  return makeSnapshot({ address: ADDRESS, version: 4, inputs, releases: of, documents });
}

/** The snapshot as it comes out of its published JSON. */
function arrived(snapshot: Snapshot): Snapshot {
  const parsed = parseMessage('snapshot', JSON.parse(JSON.stringify(snapshot)));
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

/** A document of just so many canonical bytes. */
const sized = (bytes: number): JsonObject => ({ a: 'x'.repeat(bytes - '{"a":""}'.length) });

describe('snapshotInput', () => {
  const release: ReleaseState = {
    ...INITIAL_RELEASE,
    ...{ releaseVersion: 9, stableVersion: 3, contributionAt: 8, loweredAt: 5 },
  };

  it('is nothing while the layer never had a release', () => {
    expect(snapshotInput(ADDRESS, INITIAL_RELEASE)).toBeNull();
    const blocked = { ...INITIAL_RELEASE, releaseVersion: 2, blockedVersions: [1] };
    expect(snapshotInput(ADDRESS, blocked)).toBeNull();
  });

  it('tells the stable version and when it last changed and went down', () => {
    const expected = { address: ADDRESS, definitionVersion: 3, releaseVersion: 8, loweredAt: 5 };
    expect(snapshotInput(ADDRESS, release)).toEqual(expected);
    expect(snapshotInput(ADDRESS, { ...release, forced: true })).toEqual({
      ...expected,
      forced: true,
    });
  });

  it('tells the candidate while a release in stages is under way', () => {
    const staged = {
      ...{ id: 'r1', candidateVersion: 4, strategy: 'inline', gates: [], pausedFor: null },
      ...{ stages: [{ percent: 100, bakeMs: 0 }], stage: 0 },
    };
    const expected = { address: ADDRESS, releaseVersion: 8, loweredAt: 5, candidate: 4 };
    for (const state of ['rolling', 'paused'] as const) {
      const input = { ...expected, definitionVersion: 3 };
      expect(snapshotInput(ADDRESS, { ...release, state, staged })).toEqual(input);
      const first = { ...release, state, staged, stableVersion: null };
      expect(snapshotInput(ADDRESS, first)).toEqual({ ...expected, definitionVersion: null });
    }
  });

  it('keeps a disabled layer in the list without a version', () => {
    const state: ReleaseState = { ...release, state: 'disabled', forced: true };
    expect(snapshotInput(ADDRESS, state)).toEqual({
      ...{ address: ADDRESS, definitionVersion: null, releaseVersion: 8, loweredAt: 5 },
    });
  });
});

describe('a snapshot', () => {
  it('is a valid message whose hash can be recomputed from it', () => {
    for (const document of [null, {}, { b: [1, 'é'], a: null }, sized(20_000)]) {
      const { snapshot, head } = snapshotOf(document);
      expect(arrived(snapshot)).toEqual(snapshot);
      expect(snapshotHash(arrived(snapshot), sha256)).toBe(head.hash);
      expect(snapshot.hash).toBe(head.hash);
    }
  });

  it('carries the effective document while that is small', () => {
    const document = { b: 'é', a: 1 };
    const { snapshot } = snapshotOf(document);
    const { text } = computeVariant(document, sha256);
    expect(text).toBe('{"a":1,"b":"é"}');
    expect(snapshot.variants).toEqual({
      [STABLE_COHORT]: { hash: sha256(text), size: 16, inline: { b: 'é', a: 1 } },
    });
  });

  it('names a larger document by its hash', () => {
    const inside = snapshotOf(sized(LIMITS.inlineBytes)).snapshot.variants[STABLE_COHORT];
    expect(inside).toHaveProperty('inline');
    const document = sized(LIMITS.inlineBytes + 1);
    const { snapshot } = snapshotOf(document);
    const { text } = computeVariant(document, sha256);
    expect(snapshot.variants).toEqual({
      [STABLE_COHORT]: { hash: sha256(text), size: LIMITS.inlineBytes + 1 },
    });
  });

  it('says when there is no document', () => {
    const { snapshot, head } = snapshotOf(null);
    expect(computeVariant(null, sha256)).toEqual({ variant: head.variant, text: '' });
    expect(head.variant).toEqual({ hash: ABSENT_HASH, size: 0, absent: true });
    expect(snapshot.variants).toEqual({
      [STABLE_COHORT]: { hash: ABSENT_HASH, size: 0, absent: true },
    });
  });

  it('has one hash, whoever publishes it and when', () => {
    const token = 2n ** 48n * 9n + 1n;
    const { snapshot } = snapshotOf({ a: 1 }, token);
    expect(snapshot.fencingToken).toBe(token.toString());
    expect(snapshot.hash).toBe(snapshotOf({ a: 1 }, 1n).snapshot.hash);
    expect(snapshot.hash).not.toBe(snapshotOf({ a: 2 }).snapshot.hash);
  });

  it('is not built from other documents than its head', () => {
    const build = (documentOf: DocumentOf) => () =>
      buildSnapshot({
        ...{ installation: INSTALLATION, publishedAt: PUBLISHED_AT, token: 1n, documentOf },
        head: stagedSnapshot({ [STABLE_COHORT]: null, r1: { a: 1 } }).head,
      });
    expect(build(() => ({}))).toThrow(/own documents/);
    expect(build(() => null)).toThrow(/own documents/);
    expect(build((cohort) => (cohort === STABLE_COHORT ? null : undefined))).toThrow(
      /each cohort of a snapshot has a document/,
    );
  });
});

describe('a snapshot with cohorts', () => {
  const second: SnapshotRelease = {
    ...{ id: 'a2', address: ADDRESS, salt: 'a2' },
    stages: [{ basisPoints: 0, selector: { region: ['eu'] } }, { basisPoints: 10_000 }],
  };
  const large = sized(LIMITS.inlineBytes + 1);
  const documents = {
    [STABLE_COHORT]: { a: 1 },
    r1: large,
    a2: null,
    'a2+r1': sized(LIMITS.inlineBytes),
  };

  it('has a variant for each: inside, named by its hash, or absent', () => {
    const { snapshot } = stagedSnapshot(documents, [...releases, second]);
    expect(snapshot.variants).toEqual({
      [STABLE_COHORT]: { hash: sha256('{"a":1}'), size: 7, inline: { a: 1 } },
      r1: { hash: computeVariant(large, sha256).variant.hash, size: LIMITS.inlineBytes + 1 },
      a2: { hash: ABSENT_HASH, size: 0, absent: true },
      'a2+r1': {
        hash: computeVariant(documents['a2+r1'], sha256).variant.hash,
        size: LIMITS.inlineBytes,
        inline: documents['a2+r1'],
      },
    });
    expect(snapshot.releases).toEqual([...releases, second]);
    expect(snapshot.inputs).toEqual(inputs);
  });

  it('may have a document for candidates alone, or for the others alone', () => {
    const { head } = stagedSnapshot({ [STABLE_COHORT]: null, r1: { a: 1 } });
    expect([head.variant.absent, head.cohorts['r1']?.absent]).toEqual([true, false]);
    const { snapshot } = stagedSnapshot({ [STABLE_COHORT]: { a: 1 }, r1: null });
    expect(snapshot.variants['r1']).toEqual({ hash: ABSENT_HASH, size: 0, absent: true });
  });

  it('is a valid message whose hash can be recomputed from it', () => {
    for (const of of [releases, [...releases, second]]) {
      const { snapshot, head } = stagedSnapshot(documents, of);
      expect(arrived(snapshot)).toEqual(snapshot);
      expect(snapshotHash(arrived(snapshot), sha256)).toBe(head.hash);
      expect(snapshot.hash).toBe(head.hash);
    }
  });

  it('has another hash with another release, stage, candidate or document of a cohort', () => {
    const stages = [...releases[0]!.stages, { basisPoints: 2000 }];
    const one = { [STABLE_COHORT]: { a: 1 }, r1: { a: 2 } };
    const snapshots = [
      stagedSnapshot(one),
      stagedSnapshot(one, [{ ...releases[0]!, stages }]),
      stagedSnapshot(one, [{ ...releases[0]!, salt: 'r2' }]),
      stagedSnapshot({ ...one, r1: { a: 3 } }),
      stagedSnapshot({ ...one, r1: null }),
      makeSnapshot({
        ...{ address: ADDRESS, version: 4, releases, documents: one },
        inputs: [{ ...inputs[0]!, candidate: 5 }],
      }),
    ];
    expect(new Set(snapshots.map(({ snapshot }) => snapshot.hash)).size).toBe(snapshots.length);
  });
});
