import { sha256 } from '@pawl/contracts/node';
import type { AddressText } from '@pawl/contracts';
import { INITIAL_RELEASE } from '@pawl/domain';
import { describe, expect, it } from 'vitest';
import type { EngineContext } from '../engine-context.js';
import { PORTION } from '../turns.js';
import { addImages } from './build-nodes.js';
import { RootTree } from './root-tree.js';
import type { AddressImage } from './truth-store.port.js';

/** Notes every turn of the event loop as `turn`, and every hash as the size of what was hashed. */
function recordingContext(): { context: EngineContext; events: (number | 'turn')[] } {
  const events: (number | 'turn')[] = [];
  const context = {
    installation: { name: 'main', id: 'test', generation: 1, shards: 4 },
    clock: { wallMs: () => 0, monotonicMs: () => 0 },
    scheduler: { yield: async () => void events.push('turn') },
    sha256: (text: string) => {
      events.push(text.length);
      return sha256(text);
    },
  };
  return { context: context as unknown as EngineContext, events };
}

function image(name: string, value: Record<string, string>): AddressImage {
  const address = `acme/${name}` as AddressText;
  const text = JSON.stringify(value);
  const newest = {
    address,
    version: 1,
    document: { value, text, hash: sha256(text) },
    schema: null,
    author: 'ada',
    createdAt: '2026-01-02T03:04:05.678Z',
  };
  return {
    address,
    newest,
    stable: newest,
    candidate: null,
    pinned: [],
    release: { ...INITIAL_RELEASE, releaseVersion: 1, stableVersion: 1, contributionAt: 1 },
    snapshot: null,
    publishedVersion: 0,
    publishedAt: null,
    opened: false,
  };
}

async function turnsFor(images: readonly AddressImage[]): Promise<number[][]> {
  const { context, events } = recordingContext();
  const tree = new RootTree(1);
  await addImages(context, () => tree, images);
  expect(tree.size).toBe(images.length);
  const turns: number[][] = [[]];
  for (const event of events) {
    if (event === 'turn') turns.push([]);
    else turns.at(-1)?.push(event);
  }
  return turns;
}

describe('rebuilding memory', () => {
  it('hashes one large document in a turn of the event loop', async () => {
    const large = PORTION.bytes + 1;
    const images = Array.from({ length: 20 }, (_, n) => image(`a${n}`, { a: 'x'.repeat(large) }));
    const turns = await turnsFor(images);
    const largeOnes = turns.map((hashed) => hashed.filter((size) => size > large).length);
    expect(Math.max(...largeOnes)).toBe(1);
    expect(largeOnes.reduce((sum, count) => sum + count, 0)).toBe(20);
  });

  it('takes small documents by portions', async () => {
    const images = Array.from({ length: 1_000 }, (_, n) => image(`a${n}`, { a: String(n) }));
    const turns = await turnsFor(images);
    expect(turns.length).toBeGreaterThanOrEqual(1_000 / PORTION.items);
    for (const hashed of turns) {
      const small = hashed.filter((size) => size < 20);
      expect(small.length).toBeLessThanOrEqual(PORTION.items);
    }
  });
});
