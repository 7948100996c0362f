import { seededRng } from '@pawl/kernel';
import { describe, expect, it } from 'vitest';
import { MetadataState } from './index.js';
import type { CommandBody, Operation } from './index.js';
import { KeyStore } from './key-store.js';

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const put = (key: string): Operation => {
  return { kind: 'put', key: bytes(key), value: bytes('v'), lease: 0n };
};

describe('keys that are gone, while a reader in steps keeps all memory', () => {
  it('are met by nobody who looks through the index, and come back', () => {
    const keys = new KeyStore();
    const ids = Array.from({ length: 3000 }, (_, at) => `k${String(at).padStart(4, '0')}`);
    for (const id of ids) keys.put(id, bytes('v'), 0n);
    keys.commit();
    const unpin = keys.pin();
    for (const id of ids) keys.delete(id);
    keys.commit();
    keys.put('k', bytes('v'), 0n);
    keys.compact(keys.commit());
    const met = (): number => {
      let count = 0;
      keys.index.visit({ from: '', until: null }, () => {
        count += 1;
        return true;
      });
      return count;
    };
    expect(met()).toBe(3001);
    expect(keys.scavenge(10_000)).toBe(true);
    expect(met()).toBe(1);
    expect(keys.records('', 5000)).toHaveLength(3001);
    keys.put('k0007', bytes('again'), 0n);
    keys.rollback(() => undefined);
    expect(met()).toBe(1);
    keys.put('k0007', bytes('again'), 0n);
    keys.commit();
    expect([met(), keys.records('', 5000).length]).toEqual([2, 3001]);
    unpin();
    while (keys.scavenge(1000));
    expect([met(), keys.records('', 5000).length]).toEqual([2, 2]);
    expect(keys.get('k0007')).toMatchObject({ version: 1, value: bytes('again') });
  });

  it.each([1, 2, 3, 4])('are in what that reader reads, and change nothing (seed %i)', (seed) => {
    const rng = seededRng(seed);
    const [state, twin] = [new MetadataState(), new MetadataState()];
    let index = 0;
    let held: { chunks: ReturnType<MetadataState['snapshotChunks']>; whole: Uint8Array } | null =
      null;
    const read: Uint8Array[] = [];
    for (let round = 0; round < 400; round += 1) {
      const some = `k${String(rng.below(900)).padStart(4, '0')}`;
      const operations = Array.from({ length: 20 }, () => put(`k${rng.below(10)}${rng.below(90)}`));
      const distinct = [
        ...new Map(operations.map((one) => [String('key' in one && one.key), one])),
      ];
      const success: Operation[] =
        rng.below(3) > 0
          ? distinct.map(([, one]) => one)
          : [{ kind: 'delete', key: bytes('k'), rangeEnd: bytes(some) }];
      const command: CommandBody =
        rng.below(4) === 0
          ? { kind: 'compact', revision: Math.max(1, state.revision - rng.below(3)) }
          : { kind: 'txn', compare: [], success, failure: [] };
      index += 1;
      for (const one of [state, twin]) one.apply(command, { index, term: 1 });
      while (twin.scavenge(1000));
      state.scavenge(rng.below(40));
      if (held === null) {
        held = { chunks: state.snapshotChunks(), whole: twin.snapshot() };
        continue;
      }
      const { value, done } =
        rng.below(8) === 0 ? held.chunks.next() : { value: null, done: false };
      if (value instanceof Uint8Array) read.push(Uint8Array.from(value));
      if (done !== true) continue;
      expect(Buffer.concat(read).equals(held.whole)).toBe(true);
      read.length = 0;
      held = null;
    }
    held?.chunks.return();
    expect(state.hashKv()).toEqual(twin.hashKv());
    expect(Buffer.from(state.snapshot()).equals(twin.snapshot())).toBe(true);
  });
});
