import { describe, expect, it } from 'vitest';
import { ABSENT_HASH, STABLE_COHORT } from '../messages/snapshot.message.js';
import type { Snapshot } from '../messages/snapshot.message.js';
import { pushOf } from '../messages/push.message.js';
import { sha256 } from '../node/index.js';
import { provesItsHash, pushText, snapshotText, snapshotTextIn } from './published-text.js';
import { snapshotHash } from './snapshot-hash.js';

const body = {
  format: 1 as const,
  installation: 'main/0f3c',
  address: 'acme/prod',
  generation: 1,
  version: 3,
  fencingToken: '281474976710657',
  publishedAt: '2026-01-02T03:04:05.678Z',
  inputs: [{ address: 'acme', definitionVersion: 2, releaseVersion: 5, loweredAt: null }],
  releases: [],
  variants: { [STABLE_COHORT]: { hash: ABSENT_HASH, size: 21, inline: { b: 'ü"\\', a: '1' } } },
};
const snapshot: Snapshot = { ...body, hash: snapshotHash(body, sha256) };
const text = snapshotText(snapshot);
const parse = (json: string): Snapshot => JSON.parse(json) as Snapshot;

describe('provesItsHash', () => {
  it('takes the published form, which is JSON of the snapshot', () => {
    expect(parse(text)).toEqual(snapshot);
    expect(provesItsHash(parse(text), text, sha256)).toBe(true);
  });

  it('says nothing for other JSON of the same snapshot, and for one with a signature', () => {
    const loose = JSON.stringify(snapshot);
    expect(provesItsHash(parse(loose), loose, sha256)).toBe(false);
    const signed = snapshotText({ ...snapshot, signature: 'x' });
    expect(provesItsHash(parse(signed), signed, sha256)).toBe(false);
  });

  it('holds, after any change of one character, only where the parsed snapshot has that hash', () => {
    const held = { changed: 0, proven: 0 };
    for (let at = 0; at < text.length; at += 1) {
      for (const put of ['', '0', 'x', ' ', text[at]! + text[at]!]) {
        const changed = text.slice(0, at) + put + text.slice(at + 1);
        let value;
        try {
          value = parse(changed);
        } catch {
          continue;
        }
        held.changed += 1;
        if (!provesItsHash(value, changed, sha256)) continue;
        held.proven += 1;
        expect(snapshotHash(value, sha256), changed).toBe(value.hash);
      }
    }
    expect(held.changed - held.proven).toBeGreaterThan(500);
    expect(held.proven).toBeGreaterThan(100);
  });

  it('is not taken in by the published form inside or after another snapshot', () => {
    const forged = { ...snapshot, variants: { [STABLE_COHORT]: { hash: ABSENT_HASH, size: 0 } } };
    const around = `${snapshotText(forged).slice(0, -1)},"x":${text}}`;
    const after = `${text.slice(0, -1)},"variants":{}}`;
    for (const trick of [around, after, `{"x":${text}}`, `${text}${text}`]) {
      const value = trick.endsWith(`}${text}`) ? forged : parse(trick);
      expect(provesItsHash(value, trick, sha256), trick).toBe(false);
    }
  });
});

describe('pushText', () => {
  it('is JSON of the push, and the snapshot in it is found', () => {
    const push = pushText(snapshot, text);
    expect(JSON.parse(push)).toEqual(pushOf(snapshot));
    expect(snapshotTextIn(push, pushOf(snapshot))).toBe(text);
  });

  it('carries a snapshot whose content has to be fetched only where it is small', () => {
    const byHash = { ...snapshot, variants: { [STABLE_COHORT]: { hash: ABSENT_HASH, size: 9 } } };
    const small = pushText(byHash, snapshotText(byHash));
    expect(JSON.parse(small)).toEqual({ ...pushOf(byHash), snapshot: byHash });
    const named = Array.from({ length: 500 }, (_, slot) => `checkout/${slot}`);
    const stages = [{ basisPoints: 0, named }];
    const releases = [{ id: 'r1', address: 'acme', salt: 'r1', stages }];
    const large = { ...byHash, releases };
    const push = pushText(large, snapshotText(large));
    expect(JSON.parse(push)).toEqual(pushOf(large));
    expect(JSON.parse(push)).not.toHaveProperty('snapshot');
  });

  it('finds nothing in other JSON of the same push', () => {
    const push = pushOf(snapshot);
    const { format, ...rest } = push;
    expect(snapshotTextIn(JSON.stringify({ ...rest, format }), push)).toBeUndefined();
    expect(snapshotTextIn(JSON.stringify(push, null, 1), push)).toBeUndefined();
  });
});
