import { ABSENT_HASH, address, LIMITS, snapshotHash, STABLE_COHORT } from '@pawl/contracts';
import type { JsonObject } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { parseMessage } from '@pawl/contracts/validate';
import { describe, expect, it } from 'vitest';
import { INITIAL_RELEASE } from '../release/release-state.js';
import type { ReleaseState } from '../release/release-state.js';
import { buildSnapshot } from './build-snapshot.js';
import { computeHead } from './compute-head.js';
import { snapshotInput } from './snapshot-input.js';

const ADDRESS = address('acme/prod').text;
const installation = 'main/0f3c';
const inputs = [{ address: 'acme', definitionVersion: 2, releaseVersion: 3, loweredAt: null }];

function snapshotOf(document: JsonObject | null, token = 7n) {
  const computed = computeHead({
    ...{ installation, address: ADDRESS, generation: 1, version: 4 },
    ...{ inputs, document, sha256 },
  });
  const publishedAt = '2026-01-02T03:04:05.678Z';
  const { head } = computed;
  const snapshot = buildSnapshot({ installation, head, token, publishedAt, document });
  return { ...computed, snapshot };
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
      const wire = JSON.parse(JSON.stringify(snapshot)) as unknown;
      const parsed = parseMessage('snapshot', wire);
      if (!parsed.ok) throw new Error(parsed.message);
      expect(parsed.value).toEqual(snapshot);
      expect(snapshotHash(parsed.value, sha256)).toBe(head.hash);
      expect(snapshot.hash).toBe(head.hash);
    }
  });

  it('carries the effective document while that is small', () => {
    const { snapshot, text } = snapshotOf({ b: 'é', a: 1 });
    expect(text).toBe('{"a":1,"b":"é"}');
    expect(snapshot.variants).toEqual({
      [STABLE_COHORT]: { hash: sha256(text), size: 16, inline: { b: 'é', a: 1 } },
    });
  });

  it('names a larger document by its hash', () => {
    const inside = snapshotOf(sized(LIMITS.inlineBytes)).snapshot.variants[STABLE_COHORT];
    expect(inside).toHaveProperty('inline');
    const { snapshot, text } = snapshotOf(sized(LIMITS.inlineBytes + 1));
    expect(snapshot.variants).toEqual({
      [STABLE_COHORT]: { hash: sha256(text), size: LIMITS.inlineBytes + 1 },
    });
  });

  it('says when there is no document', () => {
    const { snapshot, head, text } = snapshotOf(null);
    expect(text).toBe('');
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

  it('is not built from another document than its head', () => {
    const { head } = snapshotOf(null);
    const publishedAt = '2026-01-02T03:04:05.678Z';
    const options = { installation, head, token: 1n, publishedAt, document: {} };
    expect(() => buildSnapshot(options)).toThrow(/own document/);
  });
});
