import { describe, expect, it } from 'vitest';
import { ABSENT_HASH, STABLE_COHORT } from '../messages/snapshot.message.js';
import { sha256 } from '../node/index.js';
import { snapshotHash } from './snapshot-hash.js';
import type { HashedSnapshot } from './snapshot-hash.js';

const body: HashedSnapshot = {
  format: 1,
  installation: 'main/0f3c',
  address: 'acme/prod',
  generation: 1,
  version: 3,
  inputs: [{ address: 'acme', definitionVersion: 2, releaseVersion: 5, loweredAt: null }],
  releases: [],
  variants: { [STABLE_COHORT]: { hash: ABSENT_HASH, size: 7, inline: { b: 2, a: 1 } } },
};

describe('snapshotHash', () => {
  it('is SHA-256 of the canonical message', () => {
    const text =
      '{"address":"acme/prod","format":1,"generation":1,"inputs":[{"address":"acme",' +
      '"definitionVersion":2,"loweredAt":null,"releaseVersion":5}],"installation":"main/0f3c",' +
      `"releases":[],"variants":{"":{"hash":"${ABSENT_HASH}","inline":{"a":1,"b":2},"size":7}},` +
      '"version":3}';
    expect(snapshotHash(body, sha256)).toBe(sha256(text));
  });

  it('does not depend on token, time, hash and signature', () => {
    const published = {
      ...body,
      fencingToken: '9',
      publishedAt: '2026-01-02T03:04:05.678Z',
      hash: ABSENT_HASH,
      signature: 'x',
    };
    expect(snapshotHash(published, sha256)).toBe(snapshotHash(body, sha256));
  });

  it.each([
    { installation: 'main/0f3d' },
    { address: 'acme/prod:limits' },
    { generation: 2 },
    { version: 4 },
    { inputs: [] },
    { inputs: [{ address: 'acme', definitionVersion: 2, releaseVersion: 5, loweredAt: 4 }] },
    { releases: [{ id: 'r1', address: 'acme', salt: 's', stages: [] }] },
    { variants: { [STABLE_COHORT]: { hash: ABSENT_HASH, size: 0, absent: true as const } } },
    { keyOfALaterVersion: true },
  ])('depends on everything else: %j', (change) => {
    expect(snapshotHash({ ...body, ...change }, sha256)).not.toBe(snapshotHash(body, sha256));
  });
});
