import { describe, expect, it } from 'vitest';
import type { RangeRequest, RangeResult } from '../metadata-store.port.js';
import { findCompactRevision } from './find-compact-revision.js';

/** A store that was compacted to a revision, as far as reads show it. */
class CompactedStore {
  questions = 0;

  constructor(
    private readonly compactRevision: number,
    private readonly revision: number,
  ) {}

  async range({ revision = 0 }: RangeRequest): Promise<RangeResult> {
    this.questions += 1;
    if (this.questions > 200) throw new Error('it asks without end');
    const refused = { ok: false, revision: this.revision } as const;
    if (revision > this.revision) return { ...refused, refusal: 'future-revision' };
    if (revision !== 0 && revision < this.compactRevision) {
      return { ...refused, refusal: 'compacted' };
    }
    return { ok: true, revision: this.revision, kvs: [], more: false, count: 0 };
  }
}

describe('the compaction revision of a store that does not tell it', () => {
  it('is found wherever it is, whatever was known before', async () => {
    for (let revision = 1; revision <= 40; revision += 1) {
      for (let compacted = 2; compacted <= revision; compacted += 1) {
        for (const known of [0, 2, compacted - 1, compacted]) {
          const store = new CompactedStore(compacted, revision);
          expect(await findCompactRevision(store, known)).toBe(compacted);
        }
      }
    }
  });

  it('is 0 while nothing was compacted, or nothing that there was', async () => {
    expect(await findCompactRevision(new CompactedStore(0, 1), 0)).toBe(0);
    expect(await findCompactRevision(new CompactedStore(0, 1000), 0)).toBe(0);
    expect(await findCompactRevision(new CompactedStore(1, 1000), 0)).toBe(0);
  });

  it('takes two questions where it is as before, and two for each bit of the way', async () => {
    const same = new CompactedStore(70_000, 1_000_000);
    expect(await findCompactRevision(same, 70_000)).toBe(70_000);
    expect(same.questions).toBeLessThanOrEqual(2);
    const far = new CompactedStore(1_000_000, 1_000_000);
    expect(await findCompactRevision(far, 0)).toBe(1_000_000);
    expect(far.questions).toBeLessThanOrEqual(2 * 20 + 2);
  });

  it('is not guessed when the store does not answer', async () => {
    const store = { range: () => Promise.reject(new Error('away')) };
    await expect(findCompactRevision(store, 0)).rejects.toThrow('away');
  });
});
