import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { arbitraryCommand } from './arbitrary-command.fixture.js';
import { MetadataState } from './index.js';
import type { Command } from './index.js';

vi.setConfig({ testTimeout: 240_000 });

function joined(chunks: Iterable<Uint8Array>): Uint8Array {
  return Uint8Array.from(Buffer.concat([...chunks]));
}

function filled(keys: number, valueBytes: number): { state: MetadataState; put: () => void } {
  const state = new MetadataState();
  let index = 0;
  const put = (): void => {
    index += 1;
    const key = Buffer.from(`key-${(index * 7919) % keys}`);
    const value = new Uint8Array(valueBytes).fill(index);
    const success = [{ kind: 'put', key, value, lease: 0n } as const];
    state.apply({ kind: 'txn', compare: [], success, failure: [] }, { index, term: 1 });
    if (index % 1000 !== 0) return;
    index += 1;
    const revision = state.revision - 500;
    state.apply({ kind: 'compact', revision }, { index, term: 1 });
  };
  return { state, put };
}

describe('snapshots in pieces', () => {
  it('are of the moment of the call, whatever is applied and compacted meanwhile', () => {
    const { state, put } = filled(1500, 100);
    for (let at = 0; at < 5000; at += 1) put();
    const [whole, hash] = [state.snapshot(), state.hashKv()];
    const chunks = state.snapshotChunks();
    const steps = state.hashKvSteps();
    if ('refusal' in steps) throw new Error(steps.refusal);
    const pieces: Uint8Array[] = [];
    for (const chunk of chunks) {
      pieces.push(chunk);
      for (let at = 0; at < 400; at += 1) put();
      steps.next();
    }
    expect(pieces.length).toBeGreaterThan(4);
    expect(Buffer.compare(joined(pieces), whole)).toBe(0);
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    expect([undefined, hash]).toContainEqual(step.value);
    const restored = new MetadataState();
    restored.restore(joined(pieces));
    expect(restored.hashKv()).toEqual(hash);
  });

  it('are bounded, but for a single larger record, and read however they are cut', () => {
    const { state, put } = filled(300, 2000);
    for (let at = 0; at < 600; at += 1) put();
    const chunks = [...state.snapshotChunks()];
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThan(64 * 1024 + 2100);
    const whole = joined(chunks);
    for (const size of [1, 3, 5, 1000, 100_000, whole.length]) {
      const restored = new MetadataState();
      const steps = [...restored.restoreSteps(whole, size)];
      expect(steps).toHaveLength(Math.ceil(whole.length / size));
      expect(Buffer.compare(restored.snapshot(), whole)).toBe(0);
    }
  });

  it('leave the state as it was when they are cut off or damaged', () => {
    const state = new MetadataState();
    const place = (index: number) => ({ index, term: 1 });
    const put = { kind: 'put', key: Buffer.from('a'), value: Buffer.from('x'), lease: 0n } as const;
    state.apply({ kind: 'txn', compare: [], success: [put], failure: [] }, place(1));
    const whole = state.snapshot();
    let refused = 0;
    for (let at = 0; at < whole.length; at += 1) {
      expect(() => state.restore(whole.subarray(0, at))).toThrow(RangeError);
      for (const flip of [1, 0x80]) {
        const damaged = Uint8Array.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        try {
          new MetadataState().restore(damaged);
        } catch (error) {
          if ((error as Error).name !== 'CommandFormatError') {
            expect(error).toBeInstanceOf(RangeError);
          }
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(whole.length / 2);
    expect(Buffer.compare(state.snapshot(), whole)).toBe(0);
    expect(() => state.restore(Uint8Array.of(...whole, 0))).toThrow(RangeError);
  });
});

describe('two members', () => {
  it('are equal to the byte after the same commands, one of them restored in between', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryCommand, { minLength: 20, maxLength: 120 }),
        fc.array(fc.nat(119), { maxLength: 4 }),
        (commands: Command[], restores) => {
          const [one, other] = [new MetadataState(), new MetadataState()];
          let member = other;
          commands.forEach((command, at) => {
            const place = { index: 10 + at, term: 1 };
            const answer = one.apply(command, place);
            expect(member.apply(command, place)).toEqual(answer);
            if (!restores.includes(at)) return;
            const next = new MetadataState();
            next.restore(one.snapshot());
            member = next;
          });
          expect(Buffer.compare(member.snapshot(), one.snapshot())).toBe(0);
          expect(member.hashKv()).toEqual(one.hashKv());
        },
      ),
      { numRuns: 300 },
    );
  });

  it('have equal hashes of a revision that both keep, though one has compacted further', () => {
    const [far, near] = [filled(50, 10), filled(50, 10)];
    for (let at = 0; at < 900; at += 1) far.put();
    for (let at = 0; at < 900; at += 1) near.put();
    near.state.apply({ kind: 'compact', revision: 300 }, { index: 2000, term: 1 });
    far.state.apply({ kind: 'compact', revision: 700 }, { index: 2000, term: 1 });
    expect(near.state.hashKv(800)).not.toEqual(far.state.hashKv(800));
    expect(near.state.hashKv(800, 700)).toEqual(far.state.hashKv(800));
    const hashes = [798, 799, 800].map((at) => near.state.hashKv(at, 700));
    expect(new Set(hashes.map((item) => ('hash' in item ? item.hash : 0))).size).toBe(3);
    const last = far.state.hashKv();
    const same = filled(50, 10);
    for (let at = 0; at < 899; at += 1) same.put();
    same.state.apply({ kind: 'compact', revision: 700 }, { index: 2000, term: 1 });
    const [write] = far.state.events(far.state.revision, 1);
    const kv = write?.events[0]?.kv;
    if (kv === undefined) throw new Error('no event');
    const other = { kind: 'put', key: kv.key, value: new Uint8Array(10), lease: 0n } as const;
    const command = { kind: 'txn', compare: [], success: [other], failure: [] } as const;
    same.state.apply(command, { index: 2001, term: 1 });
    const differing = same.state.hashKv();
    if ('refusal' in last || 'refusal' in differing) throw new Error('refused');
    expect(differing.revision).toBe(last.revision);
    expect(differing.hash).not.toBe(last.hash);
    expect(far.state.hashKv(699)).toEqual({ refusal: 'compacted' });
    expect(far.state.hashKv(800, 600)).toEqual({ refusal: 'compacted' });
    expect(far.state.hashKv(9000)).toEqual({ refusal: 'future-revision' });
  });
});
