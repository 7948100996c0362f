import { canonicalize, LIMITS } from '@pawl/contracts';
import { sha256 } from '@pawl/contracts/node';
import { describe, expect, it } from 'vitest';
import { ContentShelf } from './content-shelf.js';

const document = (at: number, length = LIMITS.inlineBytes) => ({ at, text: 'x'.repeat(length) });

function put(shelf: ContentShelf, at: number, length?: number): string {
  const it = document(at, length);
  const text = canonicalize(it);
  const hash = sha256(text);
  shelf.put({ hash, size: text.length }, it);
  return hash;
}

describe('the shelf of an address', () => {
  it('keeps the four that were used last, as they were put', () => {
    const shelf = new ContentShelf();
    const hashes = [1, 2, 3, 4].map((at) => put(shelf, at));
    expect(shelf.get(hashes[0]!)?.document).toEqual(document(1));
    hashes.push(put(shelf, 5), put(shelf, 5));
    const kept = hashes.slice(0, 5).map((hash) => shelf.get(hash)?.content);
    expect(kept.map((content) => content !== undefined)).toEqual([true, false, true, true, true]);
    expect(sha256(kept[0]?.text ?? '')).toBe(hashes[0]);
    shelf.clear();
    expect(shelf.get(hashes[0]!)).toBeNull();
  });

  it('keeps none that snapshots carry themselves', () => {
    const shelf = new ContentShelf();
    expect(shelf.get(put(shelf, 1, 100))).toBeNull();
  });
});
